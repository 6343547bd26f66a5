//! Completes incomplete search indexes, one step at a time.

use std::sync::Arc;
use std::time::Duration;

use vintedbot_domain::search::rebuild;

use crate::Worker;

/// The interval between checks for an incomplete index.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs steps until the drain.
pub async fn run(worker: Arc<Worker>) {
    let mut began = None;
    while !worker.drain.is_cancelled() {
        match rebuild::step(&worker.context.store).await {
            Ok(Some(progress)) => {
                if began.as_ref() != Some(&progress.workspace_id) {
                    tracing::info!(
                        workspace_id = progress.workspace_id,
                        total = progress.total,
                        "building a search index"
                    );
                    began = Some(progress.workspace_id.clone());
                }
                if progress.is_complete {
                    tracing::info!(
                        workspace_id = progress.workspace_id,
                        done = progress.done,
                        "a search index is complete"
                    );
                    began = None;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a search index could not be built; retrying"),
        }
        tokio::select! {
            () = worker.drain.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
