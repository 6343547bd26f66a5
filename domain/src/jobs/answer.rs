//! What a job found out for somebody who waits for it: noted on its row, and read by polling, since the one who waits may be
//! in another process than the one who works.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};

use super::State;
use crate::store::entities::jobs;
use crate::store::{Store, Tx};
use crate::{Error, Reason, Result};

/// How often a job's row is looked at, at first and later.
const FIRST_POLL: Duration = Duration::from_millis(20);
const LAST_POLL: Duration = Duration::from_millis(250);

/// What is told to those who wait.
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

/// Keeps what a job has to know besides its subject; nothing secret.
pub async fn note(tx: &Tx, job_id: &str, note: &impl Serialize) -> Result<()> {
    jobs::Entity::update_many()
        .col_expr(jobs::Column::Payload, Expr::value(serde_json::to_string(note)?))
        .filter(jobs::Column::Id.eq(job_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Tells those who wait for a job what came of it. In the transaction that finishes it.
pub async fn answer(tx: &Tx, job_id: &str, answer: &Answer) -> Result<()> {
    jobs::Entity::update_many()
        .col_expr(jobs::Column::Outcome, Expr::value(serde_json::to_string(answer)?))
        .filter(jobs::Column::Id.eq(job_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Waits until a job has ended: its row, or `None` for one that ended so long ago that it is forgotten. How long to wait
/// is the caller's to say, by dropping this.
///
/// # Errors
/// What the job answered, if that is a refusal; SITE_UNAVAILABLE for one that was given up without an answer.
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
                        "it was tried several times without an answer; call again later",
                    ));
                }
            }
            return Ok(Some(row));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_POLL);
    }
}
