//! Around every attempt: its leases are renewed while it runs, and it stops between two steps when they are lost, when it
//! takes too long, or when the process is to end. What is past its intent is never stopped halfway.

use std::time::Duration;

use vintedbot_domain::Result;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::{Work, keep};
use vintedbot_domain::publishing::outcome::Next;
use vintedbot_domain::store::entities::effects;
use vintedbot_marketplace::{Error as SiteError, Stopped};

use super::{
    changing, compose, prepare as preparing, publish as publishing, reconcile as reconciling, stopped,
};
use crate::Worker;

/// The composer's attempt at preparing.
pub async fn prepare(worker: &Worker, claim: &Claim, work: &Work) -> Result<Next> {
    if let Err(next) = compose::end_leftovers(worker, &work.seat.account_id).await? {
        return Ok(next);
    }
    let change = work.revision.change.as_ref();
    let item = match change {
        None => None,
        Some(change) => match kept(worker, claim, work, changing::look(worker, work, change)).await? {
            Ok(item) => Some(item),
            Err(next) => return Ok(next),
        },
    };
    let mut running = match compose::start(worker, claim, work).await? {
        Ok(running) => running,
        Err(error) => return stopped(worker, &work.job_id, "COMPOSER_STARTED", &error).await,
    };
    let attempt = async {
        match change.zip(item.as_ref()) {
            Some((change, item)) => changing::prepare(worker, claim, work, change, item, &mut running).await,
            None => preparing::run(worker, claim, work, &mut running).await,
        }
    };
    let result = kept(worker, claim, work, attempt).await;
    compose::quit(&worker.domain, running).await?;
    crate::stage::Stage::PreparedUnrecorded.reached().await;
    result
}

/// The composer's attempt at publishing.
pub async fn publish(worker: &Worker, claim: &Claim, work: &Work) -> Result<Next> {
    if let Err(next) = compose::end_leftovers(worker, &work.seat.account_id).await? {
        return Ok(next);
    }
    let change = work.revision.change.as_ref();
    if let Some(change) = change {
        let before = changing::before_making(worker, work, change);
        if let Err(next) = kept(worker, claim, work, before).await? {
            return Ok(next);
        }
    }
    let mut running = match compose::start(worker, claim, work).await? {
        Ok(running) => running,
        Err(error) => return stopped(worker, &work.job_id, "COMPOSER_STARTED", &error).await,
    };
    let attempt = async {
        match change {
            Some(change) => changing::make(worker, claim, work, change, &mut running).await,
            None => publishing::run(worker, claim, work, &mut running).await,
        }
    };
    let result = kept(worker, claim, work, attempt).await;
    compose::quit(&worker.domain, running).await?;
    result
}

/// Reading the site for what became of an effect.
pub async fn reconcile(worker: &Worker, claim: &Claim, work: &Work, effect: effects::Model) -> Result<Next> {
    if let Err(next) = compose::end_leftovers(worker, &work.seat.account_id).await? {
        return Ok(next);
    }
    match &work.revision.change {
        Some(change) => {
            let attempt = changing::reconcile(worker, work, change, effect);
            kept(worker, claim, work, attempt).await
        }
        None => kept(worker, claim, work, reconciling::run(worker, work, effect)).await,
    }
}

/// Runs an attempt while its leases live. The gate refuses one whose lease is lost, so that it need not be torn down.
pub async fn kept<T>(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let settings = &worker.domain.settings;
    let heartbeat = Duration::from_millis(u64::try_from(settings.heartbeat_ms).unwrap_or(1_000));
    let keeper = async {
        loop {
            tokio::time::sleep(heartbeat).await;
            match keep(&worker.domain, claim, &work.lock).await {
                Ok(true) => {}
                Ok(false) => return,
                // A database that does not answer now may answer before the lease runs out.
                Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
            }
        }
    };
    tokio::pin!(attempt);
    tokio::select! {
        result = &mut attempt => return result,
        () = keeper => tracing::warn!(job_id = work.job_id, "the claim was lost; the attempt stops at its next step"),
    }
    attempt.await
}

/// Runs the part of an attempt that writes nothing, and gives it up when it takes too long or the process is to end.
pub async fn limited<T>(
    worker: &Worker,
    part: impl Future<Output = std::result::Result<T, SiteError>>,
) -> std::result::Result<T, SiteError> {
    let limit =
        Duration::from_millis(u64::try_from(worker.domain.settings.attempt_timeout_ms).unwrap_or(1_000));
    tokio::select! {
        result = part => result,
        () = tokio::time::sleep(limit) => Err(SiteError::Unavailable("the attempt took too long".to_owned())),
        () = worker.drain.cancelled() => Err(SiteError::Stopped(Stopped("drained".to_owned()))),
    }
}
