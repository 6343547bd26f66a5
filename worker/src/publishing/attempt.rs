//! The frame of every attempt. Its leases are renewed while it runs. It stops between two steps if a lease is lost, if
//! it takes too long, or if the process drains. After its intent, an attempt is never stopped halfway.

use std::time::Duration;

use vintedbot_domain::Result;
use vintedbot_domain::jobs::Claim;
use vintedbot_domain::publishing::attempt::{Work, renew_lease};
use vintedbot_domain::publishing::outcome::FollowUp;
use vintedbot_domain::store::entities::effects;
use vintedbot_marketplace::{Error as SiteError, Stopped};

use super::{
    changing, form_session, prepare as preparing, publish as publishing, reconcile as reconciling, stopped,
};
use crate::Worker;

/// One attempt at preparing, including the listing form driver.
pub async fn prepare(worker: &Worker, claim: &Claim, work: &Work) -> Result<FollowUp> {
    if let Err(next) = form_session::end_leftovers(worker, &work.account_context.account_id).await? {
        return Ok(next);
    }
    let change = work.revision.change.as_ref();
    let item = match change {
        None => None,
        Some(change) => match with_lease(worker, claim, work, changing::look(worker, work, change)).await? {
            Ok(item) => Some(item),
            Err(next) => return Ok(next),
        },
    };
    let mut running = match form_session::start(worker, claim, work).await? {
        Ok(running) => running,
        Err(error) => return stopped(worker, &work.job_id, "FORM_SESSION_STARTED", &error).await,
    };
    let attempt = async {
        match change.zip(item.as_ref()) {
            Some((change, item)) => changing::prepare(worker, claim, work, change, item, &mut running).await,
            None => preparing::run(worker, claim, work, &mut running).await,
        }
    };
    let result = with_lease(worker, claim, work, attempt).await;
    form_session::quit(&worker.context, running).await?;
    crate::stage::Stage::PreparedUnrecorded.reached().await;
    result
}

/// One attempt at publishing, including the listing form driver.
pub async fn publish(worker: &Worker, claim: &Claim, work: &Work) -> Result<FollowUp> {
    if let Err(next) = form_session::end_leftovers(worker, &work.account_context.account_id).await? {
        return Ok(next);
    }
    let change = work.revision.change.as_ref();
    if let Some(change) = change {
        let before = changing::before_making(worker, work, change);
        if let Err(next) = with_lease(worker, claim, work, before).await? {
            return Ok(next);
        }
    }
    let mut running = match form_session::start(worker, claim, work).await? {
        Ok(running) => running,
        Err(error) => return stopped(worker, &work.job_id, "FORM_SESSION_STARTED", &error).await,
    };
    let attempt = async {
        match change {
            Some(change) => changing::make(worker, claim, work, change, &mut running).await,
            None => publishing::run(worker, claim, work, &mut running).await,
        }
    };
    let result = with_lease(worker, claim, work, attempt).await;
    form_session::quit(&worker.context, running).await?;
    result
}

/// One attempt at reconciling an effect by reading the site.
pub async fn reconcile(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    effect: effects::Model,
) -> Result<FollowUp> {
    if let Err(next) = form_session::end_leftovers(worker, &work.account_context.account_id).await? {
        return Ok(next);
    }
    match &work.revision.change {
        Some(change) => {
            let attempt = changing::reconcile(worker, work, change, effect);
            with_lease(worker, claim, work, attempt).await
        }
        None => with_lease(worker, claim, work, reconciling::run(worker, work, effect)).await,
    }
}

/// Runs an attempt while its leases are renewed. An attempt whose lease is lost runs to its end, because its intent
/// would be denied.
pub async fn with_lease<T>(
    worker: &Worker,
    claim: &Claim,
    work: &Work,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let settings = &worker.context.settings;
    let heartbeat = Duration::from_millis(u64::try_from(settings.jobs.heartbeat_ms).unwrap_or(1_000));
    let renewal = async {
        loop {
            tokio::time::sleep(heartbeat).await;
            match renew_lease(&worker.context, claim, &work.lock).await {
                Ok(true) => {}
                Ok(false) => return,
                // The database may answer again before the lease expires.
                Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
            }
        }
    };
    tokio::pin!(attempt);
    tokio::select! {
        result = &mut attempt => return result,
        () = renewal => tracing::warn!(job_id = work.job_id, "the claim was lost; the attempt stops at its next step"),
    }
    attempt.await
}

/// Runs a part of an attempt that writes nothing. Cancels it if it takes too long or the process drains.
pub async fn limited<T>(
    worker: &Worker,
    part: impl Future<Output = std::result::Result<T, SiteError>>,
) -> std::result::Result<T, SiteError> {
    let limit = Duration::from_millis(
        u64::try_from(worker.context.settings.jobs.attempt_timeout_ms).unwrap_or(1_000),
    );
    tokio::select! {
        result = part => result,
        () = tokio::time::sleep(limit) => Err(SiteError::Unavailable("the attempt took too long".to_owned())),
        () = worker.drain.cancelled() => Err(SiteError::Stopped(Stopped("drained".to_owned()))),
    }
}
