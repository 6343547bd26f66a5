//! Publishing: prepare, review, confirm, publish exactly once.
//!
//! Callers use [`prepare()`], [`confirm()`], [`cancel`], [`retry`] and [`resolve()`]; each is a file. The worker uses
//! [`attempt::begin`] to decide what a claimed job needs, [`intent::commit`] to permit a click, [`outcome`] to record
//! the outcome, and [`mod@reconcile`] to determine an outcome in doubt. Each publish job has one work row in `jobs`.
//! The work row waits until the job is due, until a person acts, or until the confirm token expires.
//!
//! A transaction that locks several rows locks them in this order: account, publish job, work row, effect, listing.

pub mod attempt;
pub(crate) mod budget;
mod cancel;
mod change;
pub mod changed;
mod claims;
mod confirm;
pub mod intent;
mod job;
pub mod listing_form_sessions;
mod local_time;
pub mod manual_takeover;
pub mod outcome;
mod prepare;
pub mod reconcile;
mod resolve;
mod retry;
mod revision;
mod schedule;
pub mod steps;
pub mod timeline;
mod token;
pub mod watch;

use sea_orm::{ColumnTrait, DeriveActiveEnum, EntityTrait, EnumIter, QueryFilter};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::ChangeKind;

pub use cancel::{cancel, cancel_open};
pub use change::{PrepareChange, Wanted, prepare_change};
pub use confirm::{Check, CheckKind, Confirm, Confirmed, confirm};
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
pub use timeline::step_timeline;

use crate::events::Kind;
use crate::identity::Caller;
use crate::store::entities::{accounts, effects, jobs as work_rows, publish_jobs, publish_steps};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Result, jobs};

/// A row of the step log.
pub type Step = publish_steps::Model;

/// The state of a publish job. The names are those of the contract's `PublishJob.State`, without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// The job waits for its preparation.
    Queued,
    /// An attempt fills the form.
    Preparing,
    /// The job waits for a person to review and confirm it.
    AwaitingConfirmation,
    /// The job is confirmed and waits for its publication.
    Confirmed,
    /// The intent to publish is committed.
    Publishing,
    /// The outcome of the click is in doubt.
    Unconfirmed,
    /// A challenge stopped the job.
    Blocked,
    Published,
    Failed,
    Cancelled,
    /// The job was not confirmed in time.
    Expired,
    /// The job is confirmed for a later time.
    Scheduled,
    /// The filled browser window is open for the person, who may publish there.
    ManualTakeover,
    /// The change of the item is done on the site.
    Done,
}

impl State {
    /// Final states. A job leaves them only by a retry, and its listing may have another job.
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

/// The kind of a publish job. The names are those of the contract's `PublishJob.Kind`, without its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobKind {
    /// Publishes a new item.
    Publish,
    /// Changes texts, attributes, price or photos of an item.
    Edit,
    Hide,
    Unhide,
    Delete,
}

/// The kind of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EffectKind {
    /// Saves a draft, which only the member can see.
    DraftSave,
    /// Makes the item publicly visible.
    Publish,
    /// Leaves the filled form open for the person, who may publish it.
    ManualTakeover,
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
    /// Kinds that may make an item publicly visible. An account may have only one such effect in doubt at a time.
    pub const PUBLISHES: [Self; 2] = [Self::Publish, Self::ManualTakeover];

    /// Kinds that change an item that is already on the site.
    pub const CHANGES: [Self; 4] = [Self::Edit, Self::Hide, Self::Unhide, Self::Delete];

    pub fn publishes(self) -> bool {
        Self::PUBLISHES.contains(&self)
    }

    /// Returns the kind of the effect of a change.
    pub fn of_change(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Edit => Self::Edit,
            ChangeKind::Hide => Self::Hide,
            ChangeKind::Unhide => Self::Unhide,
            ChangeKind::Delete => Self::Delete,
        }
    }

    /// Returns whether the effect changes an item that is already on the site.
    pub fn changes(self) -> bool {
        Self::CHANGES.contains(&self)
    }

    /// Returns whether the effect is the purpose of its job. The job cannot be cancelled after it.
    pub fn is_final(self) -> bool {
        self.publishes() || self.changes()
    }

    /// Returns the kind of publish job that the effect belongs to. `None`: it has no publish job.
    fn job_kind(self) -> Option<JobKind> {
        match self {
            Self::DraftSave | Self::Publish | Self::ManualTakeover => Some(JobKind::Publish),
            Self::Edit => Some(JobKind::Edit),
            Self::Hide => Some(JobKind::Hide),
            Self::Unhide => Some(JobKind::Unhide),
            Self::Delete => Some(JobKind::Delete),
            Self::Reply | Self::ThreadRemoval => None,
        }
    }
}

/// The state of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EffectState {
    /// The intent is committed, and its holder may be clicking now.
    Intended,
    Done,
    NotDone,
    /// The effect is in doubt: the site has to be read for the outcome.
    Unconfirmed,
}

/// Whether a form session may still act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FormSessionState {
    Open,
    Ended,
}

/// Returns the confirm token of a job and its expiry. `None`: the job does not wait for a confirmation. The caller of
/// this function must check the scope `publish:confirm`.
pub async fn confirm_token(context: &Context, caller: &Caller, id: &str) -> Result<Option<(String, i64)>> {
    Ok(get_with_token(context, caller, id).await?.1)
}

/// Queues the account's publish jobs that wait because it was paused.
pub async fn wake_account(tx: &Tx, account_id: &str) -> Result<()> {
    let waiting = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::AccountId.eq(account_id))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED))
        .filter(publish_jobs::Column::WaitReason.eq("ACCOUNT_PAUSED"));
    let now = tx.now().await?;
    for mut row in tx.locked(waiting).all(tx).await? {
        let work = work_of(tx, &row.id).await?;
        jobs::requeue(tx, &work, now).await?;
        if row.requires_action {
            // The required action was to resume the account.
            row.requires_action = false;
            job::save(tx, row, Kind::PublishJobUpdated).await?;
        }
    }
    Ok(())
}

/// Returns the unique key of a publish job's work row.
fn work_key(job_id: &str) -> String {
    format!("publish/{job_id}")
}

/// Returns the id of a publish job's open work row. Empty: no row is open.
async fn work_of(tx: &Tx, job_id: &str) -> Result<String> {
    let open = [jobs::State::Waiting, jobs::State::Queued, jobs::State::Running];
    let row = work_rows::Entity::find()
        .filter(work_rows::Column::UniqueKey.eq(work_key(job_id)))
        .filter(work_rows::Column::State.is_in(open))
        .one(tx)
        .await?;
    Ok(row.map(|row| row.id).unwrap_or_default())
}

/// Loads and locks the open effect of a job, if there is one.
async fn open_effect(tx: &Tx, job_id: &str) -> Result<Option<effects::Model>> {
    let open = [EffectState::Intended, EffectState::Unconfirmed];
    let query = effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(job_id))
        .filter(effects::Column::State.is_in(open));
    Ok(tx.locked(query).one(tx).await?)
}

/// Returns whether any effect of the account is open.
pub async fn is_in_doubt(tx: &Tx, account_id: &str) -> Result<bool> {
    let open = effects::Entity::find()
        .filter(effects::Column::AccountId.eq(account_id))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    Ok(open.one(tx).await?.is_some())
}

/// Locks the account of a job, which comes before the job in the lock order.
///
/// # Errors
/// NOT_FOUND if the job belongs to another workspace.
async fn lock_account_of(tx: &Tx, workspace_id: &str, job_id: &str) -> Result<accounts::Model> {
    let row = publish_jobs::Entity::find_by_id(job_id).of_workspace(workspace_id);
    let row = row.one(tx).await?;
    let row = row.ok_or_else(|| Error::not_found("publish job", job_id))?;
    let account = tx
        .locked(accounts::Entity::find_by_id(&row.account_id))
        .one(tx)
        .await?;
    account.ok_or_else(|| Error::not_found("account", &row.account_id))
}

fn state_name(state: State) -> String {
    sea_orm::ActiveEnum::to_value(&state)
}
