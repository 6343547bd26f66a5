//! Removing a thread from the account's inbox on its site: confirmed by a person, asked of the site once.
//!
//! [`prepare`] and [`confirm`] are what callers ask for; [`attempt`] is the worker's part: what a claimed removal needs, the
//! gate before the site, and what is written down afterwards. The site says by reading whether it is done, so that nobody
//! has to be asked; one that is not done is not tried again without a person.
//!
//! Locks are taken in the order of replies: account, thread, work row, effect.

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

/// Where the removal of a thread stands.
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
    /// Those after which something follows by itself.
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
    /// What a thread's row says of it.
    pub(super) fn of(row: &threads::Model) -> Option<Self> {
        Some(Self {
            state: row.removal_state?,
            reason: row.removal_reason.as_deref().and_then(Reason::from_name),
            message: row.removal_message.clone().unwrap_or_default(),
            update_time: row.removal_time.unwrap_or_default(),
        })
    }
}

/// Ends the removals of an account that have not passed their intent: they were confirmed for another site or member. The
/// account is locked.
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

/// Refuses with THREAD_REMOVAL_OPEN where one that has not ended stands in the way.
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
            "a thread's removal on the site has not ended; wait for its end",
        )
        .with("thread_id", row.id)),
    }
}

/// The unique key of a removal's row of work.
fn work_key(thread_id: &str) -> String {
    format!("remove-thread/{thread_id}")
}

/// What a confirmation approves: the thread with everything that was written in it. The row is locked, or a moment's reading
/// is enough.
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

/// Writes where the removal stands, and tells. The row is locked.
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
    // One that is hidden here is nobody's news.
    if row.delete_time.is_none() {
        let person = people::Entity::find_by_id(&row.person_id).one(tx).await?;
        let person = person.ok_or_else(|| Error::not_found("person", &row.person_id))?;
        let thread = Thread::of(row.clone(), person);
        tx.emit(PendingEvent::changed(Kind::ThreadUpdated, &thread)?);
    }
    Ok(row)
}

/// The row of a thread, locked until the end of the transaction; `None` where it went with its account.
async fn load(tx: &Tx, thread_id: &str) -> Result<Option<threads::Model>> {
    let row = tx.locked(threads::Entity::find_by_id(thread_id));
    Ok(row.one(tx).await?)
}
