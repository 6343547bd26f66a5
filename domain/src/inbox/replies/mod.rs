//! Replies: each is requested, confirmed where required, and sent at most once.
//!
//! For callers, [`send()`], [`confirm()`], [`cancel()`], [`retry()`] and [`resolve()`] have one file each. For the
//! worker, [`attempt::begin`] decides on a claimed reply, [`intent::commit`] permits the send, [`outcome`] records its
//! result, [`mod@reconcile`] determines an outcome in doubt, and `watch` detects messages that appear late.
//!
//! A transaction that locks several rows takes them in this order: account, thread, reply, job row, effect.

pub mod attempt;
mod cancel;
mod confirm;
mod get;
pub mod intent;
pub mod outcome;
pub mod reconcile;
mod resolve;
mod retry;
mod send;
mod token;
pub(in crate::inbox) mod watch;

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use vintedbot_marketplace::text::comparable;

pub use cancel::{cancel, cancel_open};
pub use confirm::{Confirm, confirm};
pub use get::{Filter, get, get_with_token, list};
pub use resolve::{Resolution, resolve};
pub use retry::retry;
pub use send::{Send, send};

use super::{Reply, ReplyState};
use crate::accounts::AccountState;
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::publishing::{EffectKind, EffectState};
use crate::store::entities::{accounts, effects, jobs as work_rows, messages, replies};
use crate::store::{OfWorkspace, Tx};
use crate::{Error, Reason, Result, jobs};

/// The maximum number of photos of a reply.
pub const PHOTOS_MAX: usize = 5;

/// Returns the unique key of a reply's job.
fn work_key(reply_id: &str) -> String {
    format!("reply/{reply_id}")
}

/// Makes a reply's job due at `due`.
async fn requeue(tx: &Tx, reply: &replies::Model, due: Millis) -> Result<()> {
    let work = jobs::NewJob {
        kind: jobs::Kind::SendReply,
        workspace_id: Some(reply.workspace_id.clone()),
        account_id: Some(reply.account_id.clone()),
        subject_id: reply.id.clone(),
        due_time: due,
        unique_key: Some(work_key(&reply.id)),
    };
    // Returns the unfinished job, or a new job if the last one has ended.
    let id = jobs::enqueue(tx, work).await?;
    jobs::requeue(tx, &id, due).await
}

/// Loads a reply and locks it until the end of the transaction.
async fn load(tx: &Tx, id: &str) -> Result<replies::Model> {
    let row = tx.locked(replies::Entity::find_by_id(id)).one(tx).await?;
    row.ok_or_else(|| Error::not_found("reply", id))
}

/// Loads the caller's reply and its account and locks both, the account first.
async fn load_owned(tx: &Tx, workspace_id: &str, id: &str) -> Result<(accounts::Model, replies::Model)> {
    let found = replies::Entity::find_by_id(id).of_workspace(workspace_id);
    let found = found.one(tx).await?;
    let found = found.ok_or_else(|| Error::not_found("reply", id))?;
    let account = lock_account(tx, &found.account_id).await?;
    Ok((account, load(tx, id).await?))
}

pub(super) async fn lock_account(tx: &Tx, id: &str) -> Result<accounts::Model> {
    let account = tx.locked(accounts::Entity::find_by_id(id)).one(tx).await?;
    account.ok_or_else(|| Error::not_found("account", id))
}

/// Writes a loaded row and emits an event.
async fn save(tx: &Tx, mut row: replies::Model, kind: Kind) -> Result<Reply> {
    row.update_time = tx.now().await?;
    row.end_time = row
        .state
        .has_ended()
        .then(|| row.end_time.unwrap_or(row.update_time));
    row.clone().into_active_model().reset_all().update(tx).await?;
    let reply = Reply::from(row);
    tx.emit(PendingEvent::changed(kind, &reply)?);
    Ok(reply)
}

/// Returns the open effect of a reply or of a thread's removal, if there is one, and locks it.
pub(super) async fn open_effect(tx: &Tx, subject_id: &str) -> Result<Option<effects::Model>> {
    let query = effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(subject_id))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    Ok(tx.locked(query).one(tx).await?)
}

/// Requeues the inbox jobs of an account that waited because the account was paused.
pub async fn wake_account(tx: &Tx, account_id: &str) -> Result<()> {
    let waiting = work_rows::Entity::find()
        .filter(work_rows::Column::AccountId.eq(account_id))
        .filter(work_rows::Column::Kind.is_in([jobs::Kind::SendReply, jobs::Kind::RemoveThread]))
        .filter(work_rows::Column::State.eq(jobs::State::Waiting));
    let now = tx.now().await?;
    for work in waiting.all(tx).await? {
        jobs::requeue(tx, &work.id, now).await?;
    }
    Ok(())
}

/// Links a message of the account that is read for the first time to the reply that sent it, if there is one.
pub(super) async fn join(tx: &Tx, site: &str, message: &mut messages::Model) -> Result<()> {
    let Some(remote_id) = message.remote_id.as_deref() else {
        return Ok(());
    };
    let effect = effects::Entity::find()
        .filter(effects::Column::Kind.eq(EffectKind::Reply))
        .filter(effects::Column::AccountId.eq(message.account_id.as_str()))
        .filter(effects::Column::Site.eq(site))
        .filter(effects::Column::RemoteId.eq(remote_id))
        .one(tx)
        .await?;
    if let Some(effect) = effect {
        let row = load(tx, &effect.subject_id).await?;
        message.reply_id = Some(row.id.clone());
        let row = replies::Model {
            message_id: Some(message.id.clone()),
            ..row
        };
        save(tx, row, Kind::ReplyUpdated).await?;
    }
    Ok(())
}

/// Returns the form in which a reply is compared with a message. Beyond [`comparable`], the number of blanks and the
/// kind of white space between words do not count.
fn normalised(text: &str) -> String {
    comparable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn may_act(row: &replies::Model, account: &accounts::Model) -> Result<()> {
    may_act_on(&row.site, account)
}

/// Fails if the account may not act on the site for which something was confirmed.
pub(super) fn may_act_on(site: &str, account: &accounts::Model) -> Result<()> {
    if account.delete_time.is_some() || account.site != site {
        return Err(Error::rejected(
            Reason::ModeChanged,
            "the account's mode has changed since",
        ));
    }
    not_paused(account)
}

fn not_paused(account: &accounts::Model) -> Result<()> {
    if account.state == AccountState::Paused {
        return Err(Error::rejected(
            Reason::AccountPaused,
            "the account is paused; check its pause reason, then call ResumeAccount",
        )
        .with("account_id", &account.id)
        .with("pause_reason", account.pause_reason.clone().unwrap_or_default()));
    }
    Ok(())
}

fn wrong_state(row: &replies::Model, message: &str) -> Error {
    Error::rejected(Reason::ReplyStateInvalid, message)
        .with("reply_id", &row.id)
        .with("state", state_name(row.state))
}

fn state_name(state: ReplyState) -> String {
    sea_orm::ActiveEnum::to_value(&state)
}
