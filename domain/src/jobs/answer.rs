//! Results of jobs for callers that wait for them. The worker stores the result in the job's row. The waiting call
//! polls the row, because it may run in another process than the worker.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};

use super::State;
use crate::store::entities::jobs;
use crate::store::{Store, Tx};
use crate::{Error, Reason, Result};

/// The interval between two polls of a job's row: it starts here and doubles up to [`LAST_POLL`].
const FIRST_POLL: Duration = Duration::from_millis(20);
const LAST_POLL: Duration = Duration::from_millis(250);

/// The result of a job for the callers that wait for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Done,
    Refused {
        reason: Reason,
        message: String,
        metadata: BTreeMap<String, String>,
    },
}

impl Answer {
    pub fn refused(reason: Reason, message: impl Into<String>) -> Self {
        Self::Refused {
            reason,
            message: message.into(),
            metadata: BTreeMap::new(),
        }
    }

    /// Adds a detail to a refusal.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        if let Self::Refused { metadata, .. } = &mut self {
            metadata.insert(key.to_owned(), value.to_owned());
        }
        self
    }

    fn into_result(self) -> Result<()> {
        match self {
            Self::Done => Ok(()),
            Self::Refused {
                reason,
                message,
                metadata,
            } => {
                let error = Error::rejected(reason, message);
                Err(metadata
                    .into_iter()
                    .fold(error, |error, (key, value)| error.with(&key, value)))
            }
        }
    }
}

/// Stores additional data for a job in its payload. The data must not contain secrets.
pub async fn note(tx: &Tx, job_id: &str, note: &impl Serialize) -> Result<()> {
    jobs::Entity::update_many()
        .col_expr(jobs::Column::Payload, Expr::value(serde_json::to_string(note)?))
        .filter(jobs::Column::Id.eq(job_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Stores the result of a job for waiting callers. Call this in the transaction that finishes the job.
pub async fn answer(tx: &Tx, job_id: &str, answer: &Answer) -> Result<()> {
    jobs::Entity::update_many()
        .col_expr(jobs::Column::Outcome, Expr::value(serde_json::to_string(answer)?))
        .filter(jobs::Column::Id.eq(job_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Waits until a job has ended and returns its row. `None`: retention has removed the job. There is no timeout: the
/// caller stops waiting by dropping the future.
///
/// # Errors
/// The job's refusal; SITE_UNAVAILABLE if the job ended without a result.
pub async fn answer_of(store: &Store, job_id: &str) -> Result<Option<jobs::Model>> {
    let mut pause = FIRST_POLL;
    loop {
        let row = jobs::Entity::find_by_id(job_id).one(store.reader()).await?;
        let Some(row) = row else { return Ok(None) };
        if matches!(row.state, State::Done | State::Dead | State::Cancelled) {
            match &row.outcome {
                Some(text) => serde_json::from_str::<Answer>(text)?.into_result()?,
                None => {
                    return Err(Error::rejected(
                        Reason::SiteUnavailable,
                        "the job ended without an answer from the site after several attempts; call again later",
                    ));
                }
            }
            return Ok(Some(row));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_POLL);
    }
}
