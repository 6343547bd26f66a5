//! Jobs: the row is authoritative, and the queue only carries notifications.
//!
//! A job is written in the same transaction as the change that needs it ([`enqueue`]). A worker [`claim`]s the row by
//! compare-and-set, renews its lease while it works, and writes the outcome ([`Claim::finish`]). [`sweep`] finds jobs
//! that are due or abandoned. Attempts, backoff, dead letters and uniqueness are implemented only here.
//!
//! To add a kind, add a variant to [`Kind`] and a handler to the worker crate.

mod answer;
mod cadence;
mod claim;
mod due;
mod notifier;
mod schedule;
mod sweep;
mod worker;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveEnum, ColumnTrait, DeriveActiveEnum, EntityTrait, EnumIter, Iterable, QueryFilter};
use serde::{Deserialize, Serialize};

pub use answer::{Answer, answer, answer_of, note};
pub use cadence::Cadence;
pub use claim::{Backoff, Claim, Outcome, claim, requeue};
pub use due::{Candidate, DueJobs, due, kinds_of};
pub use notifier::JobNotifier;
pub use schedule::{Due, Schedule, complete, list_schedules, take_due, update_schedule, write_defaults};
pub use sweep::{purge, sweep};
pub use worker::{
    HEARTBEAT, Proof, WorkerIdentity, close_worker, heartbeat, is_on_this_machine, open_worker,
    purge_workers, release_abandoned, worker_is_gone,
};
pub(crate) use worker::{any_worker_is_live, count_live};

use crate::Result;
use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::jobs;
use crate::trace::Payload;

/// The kind of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// Advances a publish job; its subject is the publish job.
    Publish,
    /// Reads an account's member and the catalogue from the site; its subject is the account.
    ConnectAccount,
    /// Reads an account's wardrobe; its subject is the import.
    ImportWardrobe,
    /// Tries an imported session on the site; its subject is the account.
    ImportSession,
    /// Checks on the site that the account's session works; its subject is the account.
    CheckSession,
    /// Reads an account's inbox; its subject is the account.
    SyncInbox,
    /// Marks a thread as read on the site; its subject is the thread.
    MarkThreadRead,
    /// Advances a reply; its subject is the reply.
    SendReply,
    /// Advances the removal of a thread on its site; its subject is the thread.
    RemoveThread,
}

impl Kind {
    /// Returns every kind.
    pub fn all() -> Vec<Self> {
        Self::iter().collect()
    }

    /// Returns the name in logs and metrics, such as `sync_inbox`.
    pub fn name(self) -> String {
        self.to_value().to_lowercase()
    }
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// There is no work until the job is queued again.
    Waiting,
    /// The job is due at `due_time`.
    Queued,
    /// Claimed by a worker until `lease_until`.
    Running,
    Done,
    /// A dead letter: the job is not tried again, and a person has to look at it.
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

/// The parameters of a new job.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub kind: Kind,
    pub workspace_id: Option<String>,
    pub account_id: Option<String>,
    pub subject_id: String,
    pub due_time: Millis,
    /// A key that at most one open job has. Absent: the job is not unique.
    pub unique_key: Option<String>,
}

/// Writes a job and notifies the worker after the commit. If an open job has the same unique key, no job is written and
/// the worker is notified of the existing job. Returns the id of the job.
pub async fn enqueue(tx: &Tx, new: NewJob) -> Result<String> {
    if let Some(key) = &new.unique_key {
        let open = jobs::Entity::find()
            .filter(jobs::Column::UniqueKey.eq(key.as_str()))
            .filter(jobs::Column::State.is_in([State::Waiting, State::Queued, State::Running]))
            .one(tx)
            .await?;
        if let Some(job) = open {
            tx.notify_job(&job.id, 0);
            return Ok(job.id);
        }
    }
    let now = tx.now().await?;
    let id = tx.id();
    let due_in = new.due_time - now;
    let row = jobs::ActiveModel {
        id: Set(id.clone()),
        workspace_id: Set(new.workspace_id),
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
    // With concurrent callers, the unique index admits one row; the other caller's insert does nothing.
    jobs::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    tx.notify_job(&id, due_in);
    Ok(id)
}
