//! Publishing: prepare, look, confirm, publish exactly once.
//!
//! What callers ask for: [`prepare()`], [`confirm()`], [`cancel`], [`retry`], [`resolve()`], each a file. What the worker
//! does: [`attempt::begin`] says what a claimed job needs, [`gate::intend`] is the only way to a click, [`outcome`] writes
//! down what became of it, [`mod@reconcile`] finds out where that is not known. A job has one row of work; it waits there
//! for its turn, for a person, or for the end of its confirmation's life.
//!
//! Every transaction that touches several of them locks in this order: account, publish job, work row, effect, listing.

pub mod attempt;
pub(crate) mod budget;
mod cancel;
mod change;
pub mod changed;
mod claims;
pub mod composers;
mod confirm;
pub mod film;
pub mod gate;
pub mod hand_over;
mod job;
mod local_time;
pub mod outcome;
mod prepare;
pub mod reconcile;
mod resolve;
mod retry;
mod revision;
mod schedule;
pub mod steps;
mod token;
pub mod watch;

use sea_orm::{ColumnTrait, DeriveActiveEnum, EntityTrait, EnumIter, QueryFilter};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::ChangeKind;

pub use cancel::{cancel, cancel_open};
pub use change::{PrepareChange, Wanted, prepare_change};
pub use confirm::{Check, CheckKind, Confirm, Confirmed, confirm};
pub use film::film_strip;
pub use job::{
    FieldChange, Filter, PublishJob, WaitReason, get, get_revision, get_with_token, list, list_steps,
};
pub use local_time::{LocalTime, Repeated};
pub use prepare::{Prepare, prepare};
pub use resolve::{Resolution, resolve};
pub use retry::retry;
pub use revision::{Change, Revision};
pub use schedule::{Schedule, When, queue, schedule};
pub use steps::StepOutcome;

use crate::events::Kind;
use crate::identity::Caller;
use crate::store::Tx;
use crate::store::entities::{accounts, effects, jobs as work_rows, publish_jobs, publish_steps};
use crate::{Domain, Error, Result, jobs};

/// A step of the log.
pub type Step = publish_steps::Model;

/// Where a publish job stands. The names are those of the contract's `PublishJob.State`, without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Waits to be prepared.
    Queued,
    /// The form is being filled.
    Preparing,
    /// A person is to look and to confirm.
    AwaitingConfirmation,
    /// Confirmed; waits to be published.
    Confirmed,
    /// The intent to publish is committed.
    Publishing,
    /// What became of the click is not known yet.
    Unconfirmed,
    /// A challenge stopped it.
    Blocked,
    Published,
    Failed,
    Cancelled,
    /// The confirmation was not given in time.
    Expired,
    /// Confirmed for a later time.
    Scheduled,
    /// The filled window is in the person's own hands.
    HandedOver,
    /// The change is made on the site.
    Done,
}

impl State {
    /// States that a job does not leave by itself, and that leave its listing free for another job.
    pub const ENDED: [Self; 5] = [
        Self::Published,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    pub fn has_ended(self) -> bool {
        Self::ENDED.contains(&self)
    }
}

/// What a job does on the site. The names are those of the contract's `PublishJob.Kind`, without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobKind {
    /// Publishes a new item.
    Publish,
    /// Changes texts, choices, price or photos of an item.
    Edit,
    Hide,
    Unhide,
    Delete,
}

/// What an effect does on the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EffectKind {
    /// Saves a draft, which nobody but the member sees.
    DraftSave,
    /// Makes the item visible to everybody.
    Publish,
    /// Leaves the filled form to a person, who may publish it.
    HandOver,
    Edit,
    Hide,
    Unhide,
    Delete,
    /// Sends a reply into a conversation.
    Reply,
    /// Removes a conversation from the account's inbox.
    ThreadRemoval,
}

impl EffectKind {
    /// Those after which an item may be visible to everybody. Of one account, only one may be undecided at a time.
    pub const PUBLISHES: [Self; 2] = [Self::Publish, Self::HandOver];

    /// Those that change an item that is on the site already.
    pub const CHANGES: [Self; 4] = [Self::Edit, Self::Hide, Self::Unhide, Self::Delete];

    pub fn publishes(self) -> bool {
        Self::PUBLISHES.contains(&self)
    }

    /// The effect that makes a change.
    pub fn of_change(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Edit => Self::Edit,
            ChangeKind::Hide => Self::Hide,
            ChangeKind::Unhide => Self::Unhide,
            ChangeKind::Delete => Self::Delete,
        }
    }

    /// Whether it changes an item that is on the site already.
    pub fn changes(self) -> bool {
        Self::CHANGES.contains(&self)
    }

    /// Whether it is what its job is for, after which the job cannot be taken back.
    pub fn is_final(self) -> bool {
        self.publishes() || self.changes()
    }

    /// The kind of publish job that it belongs to.
    fn job_kind(self) -> Option<JobKind> {
        match self {
            Self::DraftSave | Self::Publish | Self::HandOver => Some(JobKind::Publish),
            Self::Edit => Some(JobKind::Edit),
            Self::Hide => Some(JobKind::Hide),
            Self::Unhide => Some(JobKind::Unhide),
            Self::Delete => Some(JobKind::Delete),
            // It has no publish job.
            Self::Reply | Self::ThreadRemoval => None,
        }
    }
}

/// What is known of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EffectState {
    /// Committed; its holder may be clicking right now.
    Intended,
    Done,
    NotDone,
    /// Its holder has stopped, and the site has to be read.
    Unconfirmed,
}

/// Whether an attempt at the form may still run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ComposerState {
    Open,
    Ended,
}

/// The token with which a prepared job may be confirmed, and until when; for those who may confirm. `None` while the job
/// does not wait for a confirmation.
pub async fn confirm_token(domain: &Domain, caller: &Caller, id: &str) -> Result<Option<(String, i64)>> {
    Ok(get_with_token(domain, caller, id).await?.1)
}

/// Queues the jobs of an account that waited because it was paused.
pub async fn wake_account(tx: &Tx, account_id: &str) -> Result<()> {
    let waiting = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::AccountId.eq(account_id))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED))
        .filter(publish_jobs::Column::WaitReason.eq("ACCOUNT_PAUSED"));
    let now = tx.now().await?;
    for mut row in tx.locked(waiting).all(tx).await? {
        let work = work_of(tx, &row.id).await?;
        jobs::requeue(tx, &work, now).await?;
        if row.needs_manual {
            // What it asked for was to resume the account.
            row.needs_manual = false;
            job::save(tx, row, Kind::PublishJobUpdated).await?;
        }
    }
    Ok(())
}

/// The unique key of a publish job's row of work.
fn work_key(job_id: &str) -> String {
    format!("publish/{job_id}")
}

/// The id of a publish job's row of work.
async fn work_of(tx: &Tx, job_id: &str) -> Result<String> {
    let open = [jobs::State::Waiting, jobs::State::Queued, jobs::State::Running];
    let row = work_rows::Entity::find()
        .filter(work_rows::Column::UniqueKey.eq(work_key(job_id)))
        .filter(work_rows::Column::State.is_in(open))
        .one(tx)
        .await?;
    Ok(row.map(|row| row.id).unwrap_or_default())
}

/// The effect of a job whose outcome is open, if there is one.
async fn open_effect(tx: &Tx, job_id: &str) -> Result<Option<effects::Model>> {
    let open = [EffectState::Intended, EffectState::Unconfirmed];
    let query = effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(job_id))
        .filter(effects::Column::State.is_in(open));
    Ok(tx.locked(query).one(tx).await?)
}

/// Whether anything that was done on the account's site is undecided.
pub async fn is_undecided(tx: &Tx, account_id: &str) -> Result<bool> {
    let open = effects::Entity::find()
        .filter(effects::Column::AccountId.eq(account_id))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    Ok(open.one(tx).await?.is_some())
}

/// Locks the account of a caller's job, which comes before the job itself.
async fn lock_account_of(tx: &Tx, owner_id: &str, job_id: &str) -> Result<accounts::Model> {
    let row = publish_jobs::Entity::find_by_id(job_id).one(tx).await?;
    let row = row
        .filter(|row| row.owner_id == owner_id)
        .ok_or_else(|| Error::not_found("publish job", job_id))?;
    let account = tx
        .locked(accounts::Entity::find_by_id(&row.account_id))
        .one(tx)
        .await?;
    account.ok_or_else(|| Error::not_found("account", &row.account_id))
}

fn state_name(state: State) -> String {
    sea_orm::ActiveEnum::to_value(&state)
}
