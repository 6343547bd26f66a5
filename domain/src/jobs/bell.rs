//! The doorbell: tells this process's worker that a job may be due. Losing a ring costs the time until the next sweep.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::clock::Millis;

/// How far ahead a timer is set.
const HORIZON: Millis = 3_600_000;

/// Rings for jobs by id.
#[derive(Clone)]
pub struct Bell {
    sender: UnboundedSender<String>,
    /// Kept so that ringing before a worker listens is not an error.
    receiver: Arc<std::sync::Mutex<Option<UnboundedReceiver<String>>>>,
}

impl Default for Bell {
    fn default() -> Self {
        let (sender, receiver) = unbounded_channel();
        Self {
            sender,
            receiver: Arc::new(std::sync::Mutex::new(Some(receiver))),
        }
    }
}

impl Bell {
    /// Rings for jobs, each after its number of milliseconds. Timers die with the process, and the next one sets them anew.
    pub fn ring(&self, jobs: &[(String, Millis)]) {
        for (id, delay) in jobs {
            let (sender, id) = (self.sender.clone(), id.clone());
            match u64::try_from(*delay) {
                // Without a worker in this process nobody listens; the sweeper of one that has a worker finds the row.
                Err(_) | Ok(0) => drop(sender.send(id)),
                Ok(delay) if delay <= HORIZON.unsigned_abs() => {
                    tokio::spawn(async move {
                        // A little late, so that the row is due by the database's clock too.
                        tokio::time::sleep(Duration::from_millis(delay + 2)).await;
                        drop(sender.send(id));
                    });
                }
                // Too far off for a timer: the sweeper rings when its time has come.
                Ok(_) => {}
            }
        }
    }

    /// What rings, to be taken by the one worker of this process.
    pub fn listen(&self) -> Option<UnboundedReceiver<String>> {
        self.receiver
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }
}
