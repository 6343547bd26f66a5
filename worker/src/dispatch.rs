//! From a notification to a handler: claims the job's row and runs the handler of its kind.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::Instrument as _;
use vintedbot_domain::{Result, jobs, trace};

use crate::stage::Stage;
use crate::{Worker, accounts, inbox, publishing, removal, replies, sessions, wardrobe};

/// Claims a job and executes it. Returns false if it was not due or another worker holds it.
pub async fn work_on(worker: &Arc<Worker>, job_id: &str) -> Result<bool> {
    if worker.drain.is_cancelled() {
        return Ok(false);
    }
    let context = &worker.context;
    let claim = jobs::claim(
        &context.store,
        job_id,
        &worker.identity.id,
        context.settings.jobs.lease_ms,
    )
    .await?;
    let Some(claim) = claim else { return Ok(false) };
    Stage::Claimed.reached().await;
    let kind = claim.job.kind.name();
    let span = tracing::info_span!("job", job_id, kind);
    trace::adopt_payload(&span, &claim.job.payload);
    let started = Instant::now();
    let worked = work(worker, &claim).instrument(span).await;
    metrics::histogram!("vintedbot_job_duration_seconds", "kind" => kind)
        .record(started.elapsed().as_secs_f64());
    worked.map(|()| true)
}

async fn work(worker: &Arc<Worker>, claim: &jobs::Claim) -> Result<()> {
    match claim.job.kind {
        jobs::Kind::Publish => publishing::run(worker, claim).await,
        jobs::Kind::ConnectAccount => accounts::connect(worker, claim).await,
        jobs::Kind::ImportWardrobe => wardrobe::run(worker, claim).await,
        jobs::Kind::ImportSession => sessions::import(worker, claim).await,
        jobs::Kind::CheckSession => sessions::check(worker, claim).await,
        jobs::Kind::SyncInbox => inbox::sync(worker, claim).await,
        jobs::Kind::MarkThreadRead => inbox::mark_read(worker, claim).await,
        jobs::Kind::SendReply => replies::run(worker, claim).await,
        jobs::Kind::RemoveThread => removal::run(worker, claim).await,
    }
}
