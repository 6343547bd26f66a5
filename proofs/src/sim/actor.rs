//! A simulated process: it counts its await points, dies at one of them, and lets others take a turn at some.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use vintedbot_domain::store::{Point, Probe};
use vintedbot_marketplace::Process;

thread_local! {
    /// The processes of this thread's simulation that have died.
    static DEAD: std::cell::RefCell<HashSet<u32>> = std::cell::RefCell::default();
}

/// Returns whether a simulated process runs. Workers use this instead of asking the operating system.
pub fn is_running(process: &Process) -> bool {
    !has_died(process.pid)
}

/// Returns whether the simulated process with this number has died.
pub fn has_died(pid: u32) -> bool {
    DEAD.with_borrow(|dead| dead.contains(&pid))
}

/// Clears the list of dead processes, at the start of a simulation.
pub fn forget_the_dead() {
    DEAD.with_borrow_mut(HashSet::clear);
}

/// One simulated process.
pub struct Actor {
    pub process: Process,
    moments: AtomicU64,
    dies_at: u64,
    dead: AtomicBool,
    yielded: AtomicBool,
    random: Mutex<StdRng>,
}

impl Actor {
    /// Returns a process that dies at await point number `dies_at`; `u64::MAX` means never.
    pub fn new(pid: u32, seed: u64, dies_at: u64) -> Arc<Self> {
        Arc::new(Self {
            process: Process { pid, start_ticks: 1 },
            moments: AtomicU64::new(0),
            dies_at,
            dead: AtomicBool::new(false),
            yielded: AtomicBool::new(false),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
        })
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Returns whether it has given up its turn since the last call.
    pub fn has_yielded(&self) -> bool {
        self.yielded.swap(false, Ordering::SeqCst)
    }

    /// Returns a number below `bound` from the actor's own generator.
    pub fn below(&self, bound: u64) -> u64 {
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .random_range(0..bound)
    }

    /// Counts an await point. Returns true if it is the last.
    fn counts(&self) -> bool {
        let dies = self.moments.fetch_add(1, Ordering::SeqCst) + 1 >= self.dies_at;
        if dies {
            self.dead.store(true, Ordering::SeqCst);
            DEAD.with_borrow_mut(|dead| dead.insert(self.process.pid));
        }
        dies
    }

    /// An await point outside the database: the process may die here, or others may take their turn.
    pub async fn moment(&self) {
        if self.counts() {
            std::future::pending::<()>().await;
        }
        self.give_way().await;
    }

    async fn give_way(&self) {
        if self.below(3) != 0 {
            return;
        }
        self.yielded.store(true, Ordering::SeqCst);
        let mut turned = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut turned, true) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

impl Probe for Actor {
    fn dies(&self, _: Point) -> bool {
        self.is_dead() || self.counts()
    }

    fn turn(&self) -> BoxFuture<'_, ()> {
        self.give_way().boxed()
    }
}
