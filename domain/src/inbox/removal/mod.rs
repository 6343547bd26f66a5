//! The removal of a thread from the account's inbox on the site. A person confirms it, and the site is asked once.
//!
//! [`prepare`] and [`confirm()`] serve callers. [`attempt`] is the worker's part: the decision on a claimed job, the
//! intent, and the outcome. The outcome is read from the site, so no person has to be asked. A removal that failed is
//! not repeated without a person.
//!
//! Locks are taken in the order of replies: account, thread, job row, effect.

pub mod attempt;
mod confirm;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, DeriveActiveEnum, EntityTrait, EnumIter, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder,
};
use serde::{Deserialize, Serialize};

pub use confirm::{Confirm, Prepared, confirm, prepare};

use super::Thread;
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::keys::sha256_hex;
use crate::store::Tx;
use crate::store::entities::{messages, people, threads};
use crate::{Error, Reason, Result};

/// The state of a thread's removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RemovalState {
    Queued,
    Removing,
    Unconfirmed,
    Removed,
    Failed,
}

impl RemovalState {
    /// The states in which the worker still acts on the removal.
    pub const OPEN: [Self; 3] = [Self::Queued, Self::Removing, Self::Unconfirmed];

    pub fn is_open(self) -> bool {
        Self::OPEN.contains(&self)
    }
}

/// The removal of a thread on its site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    pub state: RemovalState,
    pub reason: Option<Reason>,
    pub message: String,
    pub update_time: Millis,
}

impl Removal {
    /// Decodes the removal from a thread's row. `None`: no removal was requested.
    pub(super) fn of(row: &threads::Model) -> Option<Self> {
        Some(Self {
            state: row.removal_state?,
            reason: row.removal_reason.as_deref().and_then(Reason::from_name),
            message: row.removal_message.clone().unwrap_or_default(),
            update_time: row.removal_time.unwrap_or_default(),
        })
    }
}

/// Ends the removals of an account that have no intent yet, because they were confirmed for another site or member. The
/// caller has locked the account.
pub async fn cancel_open(tx: &Tx, account_id: &str, reason: Reason, message: &str) -> Result<()> {
    let queued = threads::Entity::find()
        .filter(threads::Column::AccountId.eq(account_id))
        .filter(threads::Column::RemovalState.eq(RemovalState::Queued))
        .order_by_asc(threads::Column::Id);
    for row in tx.locked(queued).all(tx).await? {
        set(tx, row, RemovalState::Failed, Some((reason, message))).await?;
    }
    Ok(())
}

/// Fails with THREAD_REMOVAL_OPEN if a removal that matches has not ended.
pub(super) async fn refuse_open(tx: &Tx, of: threads::Column, id: &str) -> Result<()> {
    let open = threads::Entity::find()
        .filter(of.eq(id))
        .filter(threads::Column::RemovalState.is_in(RemovalState::OPEN))
        .one(tx)
        .await?;
    match open {
        None => Ok(()),
        Some(row) => Err(Error::rejected(
            Reason::ThreadRemovalOpen,
            "a thread's removal on the site has not ended; wait until it ends",
        )
        .with("thread_id", row.id)),
    }
}

/// Returns the unique key of a removal's job.
fn work_key(thread_id: &str) -> String {
    format!("remove-thread/{thread_id}")
}

/// Returns the hash that a confirmation covers: the thread, the number of its messages and the newest message. Either
/// the row is locked, or the caller needs only a momentary value.
async fn content_hash(connection: &impl sea_orm::ConnectionTrait, row: &threads::Model) -> Result<String> {
    let all = messages::Entity::find().filter(messages::Column::ThreadId.eq(row.id.as_str()));
    let count = all.clone().count(connection).await?;
    let newest = all
        .order_by_desc(messages::Column::Position)
        .one(connection)
        .await?;
    let newest = newest.map(|newest| (newest.remote_key, newest.text));
    let content = ("thread-removal", 1, &row.site, &row.remote_id, count, newest);
    Ok(sha256_hex(serde_json::to_string(&content)?))
}

/// Writes the removal's state and emits an event. The caller has locked the row.
async fn set(
    tx: &Tx,
    row: threads::Model,
    state: RemovalState,
    why: Option<(Reason, &str)>,
) -> Result<threads::Model> {
    let now = tx.now().await?;
    let row = threads::Model {
        removal_state: Some(state),
        removal_reason: why.map(|(reason, _)| reason.name()),
        removal_message: why.map(|(_, message)| message.to_owned()),
        removal_time: Some(now),
        update_time: now,
        ..row
    };
    row.clone().into_active_model().reset_all().update(tx).await?;
    // Clients do not see a thread that is deleted here.
    if row.delete_time.is_none() {
        let person = people::Entity::find_by_id(&row.person_id).one(tx).await?;
        let person = person.ok_or_else(|| Error::not_found("person", &row.person_id))?;
        let thread = Thread::of(row.clone(), person);
        tx.emit(PendingEvent::changed(Kind::ThreadUpdated, &thread)?);
    }
    Ok(row)
}

/// Loads a thread and locks it until the end of the transaction. `None`: it was removed with its account.
async fn load(tx: &Tx, thread_id: &str) -> Result<Option<threads::Model>> {
    let row = tx.locked(threads::Entity::find_by_id(thread_id));
    Ok(row.one(tx).await?)
}
