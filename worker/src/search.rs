//! Search indexes that are not complete are made so, a step at a time.

use std::sync::Arc;
use std::time::Duration;

use vintedbot_domain::search::rebuild;

use crate::Worker;

/// How often it is looked whether there is one.
const PAUSE: Duration = Duration::from_secs(2);

/// Steps until the drain.
pub async fn run(worker: Arc<Worker>) {
    let mut began = None;
    while !worker.drain.is_cancelled() {
        match rebuild::step(&worker.domain.store).await {
            Ok(Some(progress)) => {
                if began.as_ref() != Some(&progress.owner_id) {
                    tracing::info!(
                        owner_id = progress.owner_id,
                        total = progress.total,
                        "a search index is made"
                    );
                    began = Some(progress.owner_id.clone());
                }
                if progress.is_complete {
                    tracing::info!(
                        owner_id = progress.owner_id,
                        done = progress.done,
                        "a search index is complete"
                    );
                    began = None;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a search index could not be made; tried again"),
        }
        tokio::select! {
            () = worker.drain.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
