//! Claiming a job, renewing its lease, and finishing it.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use super::State;
use crate::clock::Millis;
use crate::store::entities::jobs;
use crate::store::{Store, Tx};
use crate::trace::Payload;
use crate::{Error, Result, failpoints};

/// A worker's claim on a job. It is valid while the row has the same epoch and the lease has not expired.
#[derive(Clone, Debug)]
pub struct Claim {
    pub job: jobs::Model,
    pub worker_id: String,
    pub epoch: i64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job is done.
    Done,
    /// The job waits until it is queued again.
    Wait,
    /// The job is due again at this time. Not a failure.
    At(Millis),
    /// A transient failure: the job is retried after a backoff, or becomes a dead letter after too many failures.
    Retry {
        error: String,
    },
    /// A drain hands the job back. The claim does not count.
    HandBack,
    /// The job becomes a dead letter.
    Dead {
        error: String,
    },
    Cancelled,
}

/// Claims a job that is due or whose lease has expired. `None`: another worker has claimed it, or it is not due.
pub async fn claim(store: &Store, job_id: &str, worker_id: &str, lease_ms: Millis) -> Result<Option<Claim>> {
    let (job_id, worker_id) = (job_id.to_owned(), worker_id.to_owned());
    let claimed = store
        .write(move |tx| {
            let (job_id, worker_id) = (job_id.clone(), worker_id.clone());
            async move {
                let query = tx.locked(jobs::Entity::find_by_id(&job_id));
                let Some(mut job) = query.one(tx).await? else {
                    return Ok(None);
                };
                let now = tx.now().await?;
                let claimable = match job.state {
                    State::Queued => job.due_time <= now,
                    State::Running => {
                        failpoints::disables("lease") || job.lease_until.is_none_or(|until| until <= now)
                    }
                    _ => false,
                };
                if !claimable {
                    return Ok(None);
                }
                // The lateness of an abandoned job was recorded at its first claim.
                let late = (job.state == State::Queued).then(|| now - job.due_time);
                let epoch = job.claim_epoch + 1;
                let updated = jobs::Entity::update_many()
                    .col_expr(jobs::Column::State, Expr::value(State::Running))
                    .col_expr(jobs::Column::ClaimEpoch, Expr::value(epoch))
                    .col_expr(jobs::Column::Claims, Expr::value(job.claims + 1))
                    .col_expr(jobs::Column::LeaseUntil, Expr::value(now + lease_ms))
                    .col_expr(jobs::Column::WorkerId, Expr::value(worker_id.as_str()))
                    .col_expr(jobs::Column::UpdateTime, Expr::value(now))
                    .filter(jobs::Column::Id.eq(job_id.as_str()))
                    .filter(jobs::Column::ClaimEpoch.eq(job.claim_epoch))
                    .exec(tx)
                    .await?;
                if updated.rows_affected != 1 {
                    return Ok(None);
                }
                job.state = State::Running;
                job.claim_epoch = epoch;
                job.claims += 1;
                Ok(Some((
                    Claim {
                        job,
                        worker_id,
                        epoch,
                    },
                    late,
                )))
            }
            .boxed()
        })
        .await?;
    Ok(claimed.map(|(claim, late)| {
        if let Some(late) = late {
            let kind = claim.job.kind.name();
            metrics::histogram!("vintedbot_job_lateness_seconds", "kind" => kind)
                .record(late as f64 / 1000.0);
        }
        claim
    }))
}

impl Claim {
    fn held(&self) -> Condition {
        let of_this = Condition::all().add(jobs::Column::Id.eq(self.job.id.as_str()));
        if failpoints::disables("lease") {
            return of_this;
        }
        of_this
            .add(jobs::Column::State.eq(State::Running))
            .add(jobs::Column::ClaimEpoch.eq(self.epoch))
    }

    /// Renews the lease. Returns false if the claim is lost; the holder must then stop.
    pub async fn renew(&self, store: &Store, lease_ms: Millis) -> Result<bool> {
        let claim = self.clone();
        store
            .write(move |tx| {
                let claim = claim.clone();
                async move {
                    let now = tx.now().await?;
                    let updated = jobs::Entity::update_many()
                        .col_expr(jobs::Column::LeaseUntil, Expr::value(now + lease_ms))
                        .filter(claim.held())
                        .filter(jobs::Column::LeaseUntil.gt(now))
                        .exec(tx)
                        .await?;
                    Ok(updated.rows_affected == 1)
                }
                .boxed()
            })
            .await
    }

    /// Checks, under the row's lock, that the claim was not taken over and that its lease has not expired.
    pub async fn require_live(&self, tx: &Tx) -> Result<()> {
        let job = tx
            .locked(jobs::Entity::find().filter(self.held()))
            .one(tx)
            .await?;
        let now = tx.now().await?;
        match job {
            Some(job)
                if failpoints::disables("lease") || job.lease_until.is_some_and(|until| until > now) =>
            {
                Ok(())
            }
            _ => Err(lost()),
        }
    }

    /// Checks that the claim was not taken over. The lease may have expired: what the worker observed is still true.
    pub async fn require_held(&self, tx: &Tx) -> Result<()> {
        let job = tx
            .locked(jobs::Entity::find().filter(self.held()))
            .one(tx)
            .await?;
        job.map(drop).ok_or_else(lost)
    }

    /// Releases the job with an outcome. Does nothing if the claim was taken over or the job is no longer running.
    pub async fn finish(&self, tx: &Tx, outcome: &Outcome, rules: &Backoff) -> Result<()> {
        let now = tx.now().await?;
        let failures = self.job.failures + 1;
        let (state, due, error, failures, claims) = match outcome {
            Outcome::Done => (State::Done, now, None, self.job.failures, self.job.claims),
            Outcome::Wait => (State::Waiting, now, None, 0, 0),
            Outcome::At(time) => (State::Queued, *time, None, 0, 0),
            Outcome::HandBack => (State::Queued, now, None, self.job.failures, self.job.claims - 1),
            Outcome::Retry { error } if failures < rules.max_failures => (
                State::Queued,
                now + rules.pause(failures),
                Some(error.clone()),
                failures,
                0,
            ),
            Outcome::Retry { error } | Outcome::Dead { error } => {
                (State::Dead, now, Some(error.clone()), failures, self.job.claims)
            }
            Outcome::Cancelled => (State::Cancelled, now, None, self.job.failures, self.job.claims),
        };
        jobs::Entity::update_many()
            .col_expr(jobs::Column::State, Expr::value(state))
            .col_expr(jobs::Column::DueTime, Expr::value(due))
            .col_expr(jobs::Column::Error, Expr::value(error))
            .col_expr(jobs::Column::Failures, Expr::value(failures))
            .col_expr(jobs::Column::Claims, Expr::value(claims))
            .col_expr(jobs::Column::LeaseUntil, Expr::value(None::<i64>))
            .col_expr(jobs::Column::WorkerId, Expr::value(None::<String>))
            .col_expr(jobs::Column::UpdateTime, Expr::value(now))
            .filter(self.held())
            .exec(tx)
            .await?;
        if state == State::Queued {
            tx.notify_job(&self.job.id, due - now);
        }
        Ok(())
    }
}

/// The backoff after failures, and the maximum number of failures.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    pub first_ms: Millis,
    pub max_ms: Millis,
    pub max_failures: i64,
}

impl Backoff {
    /// Returns the delay after this number of failures: `first_ms`, doubled with each further failure, up to `max_ms`.
    pub fn pause(self, failures: i64) -> Millis {
        let doublings = u32::try_from(failures - 1).unwrap_or(0).min(20);
        self.first_ms.saturating_mul(1 << doublings).min(self.max_ms)
    }
}

/// Makes a waiting or queued job due at `due`, and resets its claims and failures. A running job stays unchanged,
/// because its holder decides what follows.
pub async fn requeue(tx: &Tx, job_id: &str, due: Millis) -> Result<()> {
    let mut update = jobs::Entity::update_many();
    let payload = Payload::of_current();
    if !payload.is_empty() {
        update = update.col_expr(jobs::Column::Payload, Expr::value(payload.encode()));
    }
    update
        .col_expr(jobs::Column::State, Expr::value(State::Queued))
        .col_expr(jobs::Column::DueTime, Expr::value(due))
        .col_expr(jobs::Column::Claims, Expr::value(0))
        .col_expr(jobs::Column::Failures, Expr::value(0))
        .filter(jobs::Column::Id.eq(job_id))
        .filter(jobs::Column::State.is_in([State::Waiting, State::Queued]))
        .exec(tx)
        .await?;
    tx.notify_job(job_id, due - tx.now().await?);
    Ok(())
}

fn lost() -> Error {
    Error::Internal("the claim on this job was lost to another worker".to_owned())
}
