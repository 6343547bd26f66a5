//! Beginning an attempt: what a claimed reply needs done now, decided in one transaction.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use vintedbot_marketplace::Seat;

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
use crate::{Domain, Error, Reason, Result};

/// Everything that an attempt works from.
#[derive(Clone, Debug)]
pub struct Work {
    pub reply_id: String,
    pub owner_id: String,
    pub account_id: String,
    pub thread_id: String,
    pub conversation_id: String,
    /// The account's own id on the site, as far as it is known.
    pub member_id: Option<String>,
    pub text: String,
    /// SHA-256 of the processed photos, in order.
    pub photo_sha256s: Vec<String>,
    pub content_hash: String,
    /// Whether only a person may decide that it is sent again.
    pub manual: bool,
    pub seat: Seat,
}

/// What an attempt is for.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Nothing now: the claim was let go of already.
    Nothing,
    Send(Work),
    /// Find out what became of an effect.
    Reconcile(Work, Box<effects::Model>),
}

/// Decides what a claimed reply needs. An open effect comes first: such a reply is never sent, only looked for, and not
/// before its sender can no longer act.
pub async fn begin(domain: &Domain, claim: &Claim) -> Result<Plan> {
    let plan = claimed::decide(domain, claim, |tx, domain, claim| {
        decide(tx, domain, claim).boxed()
    })
    .await?;
    Ok(plan.unwrap_or(Plan::Nothing))
}

async fn decide(tx: &Tx, domain: &Domain, claim: &Claim) -> Result<std::result::Result<Plan, Outcome>> {
    let account = lock_account(tx, claim.job.account_id.as_deref().unwrap_or_default()).await?;
    claim.require_live(tx).await?;
    let row = load(tx, claim.job.subject_id.as_deref().unwrap_or_default()).await?;
    let now = tx.now().await?;
    if row.state.has_ended() {
        return Ok(Err(Outcome::Done));
    }
    if row.needs_manual || row.state == ReplyState::Blocked {
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
        && let Some(outcome) = without_effect(tx, domain, claim, &row, &account, now).await?
    {
        return Ok(Err(outcome));
    }
    if let Some(until) = account.quiet_until.filter(|until| *until > now) {
        return Ok(Err(Outcome::At(until)));
    }
    let work = work(tx, row, account).await?;
    Ok(Ok(match effect {
        Some(effect) => Plan::Reconcile(work, Box::new(effect)),
        None => Plan::Send(work),
    }))
}

/// What keeps a reply without an open effect from being sent now, if anything.
async fn without_effect(
    tx: &Tx,
    domain: &Domain,
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
            "the account's mode was changed",
        )
        .await?;
        return Ok(Some(Outcome::Done));
    }
    if row.state == ReplyState::AwaitingConfirmation {
        return match row.confirm_expire_time {
            Some(time) if time > now => Ok(Some(Outcome::At(time))),
            _ => {
                let message = "it was not confirmed in time";
                end(tx, row.clone(), Reason::ConfirmationExpired, message).await?;
                Ok(Some(Outcome::Done))
            }
        };
    }
    if claim.job.claims > domain.settings.max_claims {
        let message = "given up after attempts that ended with their worker".to_owned();
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
    if comes_later(tx, row).await? {
        return Ok(Some(Outcome::At(now + domain.settings.settle_poll_ms)));
    }
    Ok(next_intent(tx, &domain.settings, &row.account_id, now)
        .await?
        .map(Outcome::At))
}

/// Whether an earlier reply of the thread is on its way, or about to be.
async fn comes_later(tx: &Tx, row: &replies::Model) -> Result<bool> {
    let on_the_way = [ReplyState::Queued, ReplyState::Sending, ReplyState::Unconfirmed];
    let earlier = replies::Entity::find()
        .filter(replies::Column::ThreadId.eq(row.thread_id.as_str()))
        .filter(replies::Column::Number.lt(row.number))
        .filter(replies::Column::State.is_in(on_the_way))
        .count(tx)
        .await?;
    Ok(earlier > 0)
}

/// When the account's budget of replies, which removals of threads share, allows the next one, if not now.
pub(in crate::inbox) async fn next_intent(
    tx: &Tx,
    settings: &Settings,
    account_id: &str,
    now: Millis,
) -> Result<Option<Millis>> {
    let limit = settings.replies_per_minute_account;
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
        // One that was deleted meanwhile stands there empty, and is not found.
        photo_sha256s: ids.iter().map(|id| sha256(id).unwrap_or_default()).collect(),
        conversation_id: thread.remote_id,
        member_id: account.member_id.clone(),
        manual: row.manual || account.mode == Mode::Manual,
        // Where the reply was written for, wherever the account has moved since.
        seat: Seat {
            site: row.site.clone(),
            ..accounts::seat(&Account::from(account))
        },
        reply_id: row.id,
        owner_id: row.owner_id,
        account_id: row.account_id,
        thread_id: row.thread_id,
        text: row.text,
        content_hash: row.content_hash,
    })
}
