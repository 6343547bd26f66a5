//! The job notifier: notifies the worker of this process that a job may be due. A lost notification delays a job until
//! the worker's next query.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::clock::Millis;

/// The longest delay for which a timer is set.
const HORIZON: Millis = 3_600_000;

/// Notifies the worker of this process of jobs by id.
#[derive(Clone)]
pub struct JobNotifier {
    sender: UnboundedSender<String>,
    /// Stored until a worker listens, so that earlier notifications are not lost.
    receiver: Arc<std::sync::Mutex<Option<UnboundedReceiver<String>>>>,
}

impl Default for JobNotifier {
    fn default() -> Self {
        let (sender, receiver) = unbounded_channel();
        Self {
            sender,
            receiver: Arc::new(std::sync::Mutex::new(Some(receiver))),
        }
    }
}

impl JobNotifier {
    /// Notifies the worker of each job after its delay in milliseconds. A timer ends with the process; the worker of
    /// the next process queries the due times itself.
    pub fn notify(&self, jobs: &[(String, Millis)]) {
        for (id, delay) in jobs {
            let (sender, id) = (self.sender.clone(), id.clone());
            match u64::try_from(*delay) {
                // A process without a worker has no receiver; the worker of another process finds the row.
                Err(_) | Ok(0) => drop(sender.send(id)),
                Ok(delay) if delay <= HORIZON.unsigned_abs() => {
                    tokio::spawn(async move {
                        // 2 ms later, so that the row is also due by the database's clock.
                        tokio::time::sleep(Duration::from_millis(delay + 2)).await;
                        drop(sender.send(id));
                    });
                }
                // The delay is too long for a timer; the worker finds the row when it is due.
                Ok(_) => {}
            }
        }
    }

    /// Takes the receiver of job ids for the only worker of this process. `None`: it was already taken.
    pub fn listen(&self) -> Option<UnboundedReceiver<String>> {
        self.receiver
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take()
    }
}
