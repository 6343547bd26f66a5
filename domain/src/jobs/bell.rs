//! The doorbell: tells this process's worker that a job may be due. Losing a ring costs the time until the next sweep.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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
        Self { sender, receiver: Arc::new(std::sync::Mutex::new(Some(receiver))) }
    }
}

impl Bell {
    pub fn ring(&self, job_ids: &[String]) {
        for id in job_ids {
            // Without a worker in this process nobody listens; the sweeper of one that has a worker finds the row.
            drop(self.sender.send(id.clone()));
        }
    }

    /// What rings, to be taken by the one worker of this process.
    pub fn listen(&self) -> Option<UnboundedReceiver<String>> {
        self.receiver.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }
}
