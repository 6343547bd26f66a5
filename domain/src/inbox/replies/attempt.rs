//! Begins an attempt: decides in one transaction on the work of a claimed reply.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use vintedbot_marketplace::AccountContext;

use super::cancel::end;
use super::{load, lock_account, may_act, open_effect, outcome, save};
use crate::accounts::{self, Account, AccountState, Mode};
use crate::clock::Millis;
use crate::events::Kind;
use crate::inbox::{ReplyState, claimed};
use crate::jobs::{Claim, Outcome};
use crate::publishing::{EffectKind, EffectState, budget};
use crate::settings::Settings;
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, effects, photos, replies, threads};
use crate::{Context, Error, Reason, Result};

/// The data of one attempt.
#[derive(Clone, Debug)]
pub struct Work {
    pub reply_id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub thread_id: String,
    pub conversation_id: String,
    /// The account's member id on the site, if known.
    pub member_id: Option<String>,
    pub text: String,
    /// SHA-256 of the processed photos, in order.
    pub photo_sha256s: Vec<String>,
    pub content_hash: String,
    /// Whether only a person may decide to send the reply again.
    pub manual: bool,
    pub account_context: AccountContext,
}

/// The purpose of an attempt.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Nothing to do now; the claim is already released.
    Nothing,
    Send(Work),
    /// Determine the outcome of an open effect.
    Reconcile(Work, Box<effects::Model>),
}

/// Decides on the work of a claimed reply. A reply with an open effect is never sent, only reconciled, and only when
/// its sender can no longer act.
pub async fn begin(context: &Context, claim: &Claim) -> Result<Plan> {
    let plan = claimed::decide(context, claim, |tx, context, claim| {
        decide(tx, context, claim).boxed()
    })
    .await?;
    Ok(plan.unwrap_or(Plan::Nothing))
}

async fn decide(tx: &Tx, context: &Context, claim: &Claim) -> Result<std::result::Result<Plan, Outcome>> {
    let account = lock_account(tx, claim.job.account_id.as_deref().unwrap_or_default()).await?;
    claim.require_live(tx).await?;
    let row = load(tx, claim.job.subject_id.as_deref().unwrap_or_default()).await?;
    let now = tx.now().await?;
    if row.state.has_ended() {
        return Ok(Err(Outcome::Done));
    }
    if row.requires_action || row.state == ReplyState::Blocked {
        return Ok(Err(Outcome::Wait));
    }
    let mut effect = open_effect(tx, &row.id).await?;
    if crate::failpoints::disables("intent")
        && let Some(forgotten) = effect.take()
    {
        outcome::settle(tx, forgotten, EffectState::NotDone, None, "forgotten").await?;
        let queued = replies::Model {
            state: ReplyState::Queued,
            ..row.clone()
        };
        save(tx, queued, Kind::ReplyUpdated).await?;
    }
    if let Some(effect) = &effect
        && effect.state == EffectState::Intended
        && now < effect.reconcile_after
    {
        return Ok(Err(Outcome::At(effect.reconcile_after)));
    }
    if account.state == AccountState::Paused {
        return Ok(Err(Outcome::Wait));
    }
    if effect.is_none()
        && let Some(outcome) = without_effect(tx, context, claim, &row, &account, now).await?
    {
        return Ok(Err(outcome));
    }
    if let Some(until) = account.cooldown_until.filter(|until| *until > now) {
        return Ok(Err(Outcome::At(until)));
    }
    let work = work(tx, row.clone(), account).await?;
    match effect {
        Some(effect) => Ok(Ok(Plan::Reconcile(work, Box::new(effect)))),
        None if work.photo_sha256s.iter().any(String::is_empty) => {
            let message = "a photo of the reply no longer exists".to_owned();
            outcome::fail(tx, row, Reason::NotFound, message).await?;
            Ok(Err(Outcome::Done))
        }
        None => Ok(Ok(Plan::Send(work))),
    }
}

/// Returns the job outcome if a reply without an open effect cannot be sent now.
async fn without_effect(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    row: &replies::Model,
    account: &account_rows::Model,
    now: Millis,
) -> Result<Option<Outcome>> {
    if may_act(row, account).is_err() {
        end(
            tx,
            row.clone(),
            Reason::ModeChanged,
            "the account's mode has changed",
        )
        .await?;
        return Ok(Some(Outcome::Done));
    }
    if row.state == ReplyState::AwaitingConfirmation {
        return match row.confirm_expire_time {
            Some(time) if time > now => Ok(Some(Outcome::At(time))),
            _ => {
                let message = "the reply was not confirmed in time";
                end(tx, row.clone(), Reason::ConfirmationExpired, message).await?;
                Ok(Some(Outcome::Done))
            }
        };
    }
    if claim.job.claims > context.settings.jobs.max_claims {
        let message = "gave up: too many attempts ended with their worker".to_owned();
        let failed = replies::Model {
            state: ReplyState::Failed,
            reason: Some(Reason::AttemptsExhausted.name()),
            message: Some(message.clone()),
            ..row.clone()
        };
        save(tx, failed, Kind::ReplyFailed).await?;
        return Ok(Some(Outcome::Dead { error: message }));
    }
    if let Some(time) = row.send_time.filter(|time| *time > now) {
        return Ok(Some(Outcome::At(time)));
    }
    if has_open_predecessor(tx, row).await? {
        return Ok(Some(Outcome::At(now + context.settings.effects.settle_poll_ms)));
    }
    Ok(next_intent(tx, &context.settings, &row.account_id, now)
        .await?
        .map(Outcome::At))
}

/// Returns whether an earlier reply of the thread is queued, being sent or in doubt.
async fn has_open_predecessor(tx: &Tx, row: &replies::Model) -> Result<bool> {
    let open = [ReplyState::Queued, ReplyState::Sending, ReplyState::Unconfirmed];
    let earlier = replies::Entity::find()
        .filter(replies::Column::ThreadId.eq(row.thread_id.as_str()))
        .filter(replies::Column::Number.lt(row.number))
        .filter(replies::Column::State.is_in(open))
        .count(tx)
        .await?;
    Ok(earlier > 0)
}

/// Returns the time at which the account's budget allows the next effect, or `None` if it does so now. Replies and
/// thread removals share this budget.
pub(in crate::inbox) async fn next_intent(
    tx: &Tx,
    settings: &Settings,
    account_id: &str,
    now: Millis,
) -> Result<Option<Millis>> {
    let limit = settings.replies.per_minute_account;
    budget::next_of(
        tx,
        account_id,
        &[EffectKind::Reply, EffectKind::ThreadRemoval],
        limit,
        now,
    )
    .await
}

async fn work(tx: &Tx, row: replies::Model, account: account_rows::Model) -> Result<Work> {
    let thread = threads::Entity::find_by_id(&row.thread_id).one(tx).await?;
    let thread = thread.ok_or_else(|| Error::not_found("thread", &row.thread_id))?;
    let ids: Vec<String> = serde_json::from_str(&row.photo_ids)?;
    let found = photos::Entity::find()
        .filter(photos::Column::Id.is_in(ids.iter().map(String::as_str)))
        .all(tx)
        .await?;
    let sha256 = |id: &String| {
        let photo = found.iter().find(|photo| photo.id == *id);
        photo.map(|photo| photo.sha256.clone())
    };
    Ok(Work {
        // A deleted photo gets an empty hash: a reply is never sent without one of its photos, but the number of
        // photos still identifies a reply in doubt.
        photo_sha256s: ids.iter().map(|id| sha256(id).unwrap_or_default()).collect(),
        conversation_id: thread.remote_id,
        member_id: account.member_id.clone(),
        manual: row.manual || account.mode == Mode::Manual,
        // The site for which the reply was written, even if the account has moved to another site since.
        account_context: AccountContext {
            site: row.site.clone(),
            ..accounts::account_context(&Account::from(account))
        },
        reply_id: row.id,
        workspace_id: row.workspace_id,
        account_id: row.account_id,
        thread_id: row.thread_id,
        text: row.text,
        content_hash: row.content_hash,
    })
}
