//! Jobs: the row is the truth, the queue is a doorbell.
//!
//! A job is written in the same transaction as the change that needs it ([`enqueue`]). A worker [`claim`]s the row by
//! compare-and-set, renews its lease while it works, and writes the outcome ([`Claim::finish`]). [`sweep`] finds what is
//! due or abandoned. Attempts, back-off, dead letters and uniqueness live here and nowhere else.
//!
//! A new kind: a variant of [`Kind`] and a handler in the worker crate.

mod answer;
mod bell;
mod cadence;
mod claim;
mod due;
mod schedule;
mod sweep;
mod worker;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveEnum, ColumnTrait, DeriveActiveEnum, EntityTrait, EnumIter, Iterable, QueryFilter};
use serde::{Deserialize, Serialize};

pub use answer::{Answer, answer, answer_of, note};
pub use bell::Bell;
pub use cadence::Cadence;
pub use claim::{BackOff, Claim, Outcome, claim, requeue};
pub use due::{Candidate, DueJobs, due, kinds_of};
pub use schedule::{Due, Schedule, complete, list_schedules, take_due, update_schedule, write_defaults};
pub use sweep::{purge, sweep};
pub use worker::{
    HEARTBEAT, Proof, WorkerIdentity, close_worker, heartbeat, is_on_this_machine, open_worker,
    owner_is_gone, purge_workers, release_abandoned,
};
pub(crate) use worker::{anybody_works, count_living};

use crate::Result;
use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::jobs;
use crate::trace::Payload;

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// Everything that a publish job needs done; its subject is the publish job.
    Publish,
    /// Learns who an account is on its site and what the site offers; its subject is the account.
    ConnectAccount,
    /// Reads an account's wardrobe; its subject is the import.
    ImportWardrobe,
    /// Tries an imported session on the site; its subject is the account.
    ImportSession,
    /// Asks the site who is logged in with the account's session; its subject is the account.
    CheckSession,
    /// Reads an account's inbox; its subject is the account.
    SyncInbox,
    /// Marks a thread as read on the site; its subject is the thread.
    MarkThreadRead,
    /// Everything that a reply needs done; its subject is the reply.
    SendReply,
    /// Everything that the removal of a thread on its site needs done; its subject is the thread.
    RemoveThread,
}

impl Kind {
    /// Every kind.
    pub fn all() -> Vec<Self> {
        Self::iter().collect()
    }

    /// What operators call it: `sync_inbox`.
    pub fn name(self) -> String {
        self.to_value().to_lowercase()
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Nothing to do until somebody queues it again.
    Waiting,
    /// To be done from `due_time` on.
    Queued,
    /// Claimed by a worker until `lease_until`.
    Running,
    Done,
    /// Given up; a person has to look.
    Dead,
    Cancelled,
}

/// Whether a worker process may still act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkerState {
    Open,
    Closed,
}

/// A job to be written.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub kind: Kind,
    pub owner_id: Option<String>,
    pub account_id: Option<String>,
    pub subject_id: String,
    pub due_time: Millis,
    /// No second job with this key is written while one that has not ended has it.
    pub unique_key: Option<String>,
}

/// Writes a job and rings for it after the commit. With a unique key that is taken, rings for the one that has it.
pub async fn enqueue(tx: &Tx, new: NewJob) -> Result<String> {
    if let Some(key) = &new.unique_key {
        let open = jobs::Entity::find()
            .filter(jobs::Column::UniqueKey.eq(key.as_str()))
            .filter(jobs::Column::State.is_in([State::Waiting, State::Queued, State::Running]))
            .one(tx)
            .await?;
        if let Some(job) = open {
            tx.ring(&job.id, 0);
            return Ok(job.id);
        }
    }
    let now = tx.now().await?;
    let id = tx.id();
    let due_in = new.due_time - now;
    let row = jobs::ActiveModel {
        id: Set(id.clone()),
        owner_id: Set(new.owner_id),
        kind: Set(new.kind),
        account_id: Set(new.account_id),
        subject_id: Set(Some(new.subject_id)),
        state: Set(State::Queued),
        priority: Set(0),
        due_time: Set(new.due_time),
        claims: Set(0),
        failures: Set(0),
        claim_epoch: Set(0),
        lease_until: Set(None),
        worker_id: Set(None),
        unique_key: Set(new.unique_key),
        payload: Set(Payload::of_current().encode()),
        outcome: Set(None),
        error: Set(None),
        create_time: Set(now),
        update_time: Set(now),
    };
    // Two callers at once: the index lets one in, and the other's job is the same job.
    jobs::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    tx.ring(&id, due_in);
    Ok(id)
}
