//! Ports for the servers that tests start.
//!
//! A port that was merely free when it was looked up may be taken before the server binds it, by another test or by the
//! kernel for a connection. These ports lie below the range that Linux uses for connections and for port 0 (32768 and
//! up). A locked file reserves each for one holder.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;
/// Spreads consecutive process ids, so that they seldom try the same port.
const STRIDE: u32 = 97;

/// A port of 127.0.0.1 that no other test takes until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a free port.
    ///
    /// # Errors
    ///
    /// Fails if the temporary folder cannot be written, or if every port is taken.
    pub fn take() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = std::env::temp_dir().join("vintedbot-ports");
        std::fs::create_dir_all(&folder)?;
        let start = std::process::id().wrapping_mul(STRIDE) % u32::from(COUNT);
        for _ in 0..COUNT {
            let offset = (start + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(COUNT);
            let number = FIRST + u16::try_from(offset)?;
            let lock = File::create(folder.join(number.to_string()))?;
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        bail!("no port from {FIRST} to {} is free", FIRST + COUNT - 1)
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
