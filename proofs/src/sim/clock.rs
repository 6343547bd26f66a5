//! Scripted time and counted ids.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use vintedbot_domain::clock::{Clock, Millis};
use vintedbot_domain::ids::Ids;

/// A clock that only the simulation advances.
#[derive(Debug)]
pub struct SimClock(AtomicI64);

impl SimClock {
    pub fn at(time: Millis) -> Self {
        Self(AtomicI64::new(time))
    }

    pub fn set(&self, time: Millis) {
        self.0.store(time, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Millis) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }

    fn since_boot(&self) -> Millis {
        self.now()
    }
}

/// Ids that count up, so that a seed gives the same ids each time.
#[derive(Debug, Default)]
pub struct SimIds(AtomicU64);

impl SimIds {
    pub fn restart(&self) {
        self.0.store(1_000_000, Ordering::SeqCst);
    }
}

impl Ids for SimIds {
    fn id(&self) -> String {
        format!(
            "00000000-0000-7000-8000-{:012}",
            self.0.fetch_add(1, Ordering::SeqCst)
        )
    }

    fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes());
        bytes
    }
}
