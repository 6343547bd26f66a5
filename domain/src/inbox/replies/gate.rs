//! The only gate: the transaction that commits an intent to send. What it lets through may be sent once, until it expires.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::attempt::{Work, next_intent};
use super::{load, lock_account, may_act, save};
use crate::accounts::Mode;
use crate::clock::Millis;
use crate::events::Kind;
use crate::inbox::ReplyState;
use crate::jobs::Claim;
use crate::publishing::gate::Intent;
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::{accounts, effects, replies};
use crate::{Domain, Result};

/// Why the gate stays shut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shut {
    /// Somebody else has the reply by now: stop, write nothing.
    ClaimLost,
    /// It is not to be sent as things are: taken back, paused, another mode. Beginning anew finds out what follows.
    Changed,
    /// The site asked for quiet, another reply of this conversation is undecided, or the budget of this minute is used up.
    Later(Millis),
}

/// Commits an intent, or says why not. `message_ids` are all messages in a complete reading of the
/// conversation made just before.
pub async fn intend(
    domain: &Domain,
    claim: &Claim,
    work: &Work,
    message_ids: &[String],
) -> Result<std::result::Result<Intent, Shut>> {
    let deadline = domain.clock.since_boot() + domain.settings.click_window_ms;
    let message_ids = serde_json::to_string(message_ids)?;
    let (domain_, claim, work) = (domain.clone(), claim.clone(), work.clone());
    let committed = domain
        .store
        .write(move |tx| {
            let (domain, claim, work) = (domain_.clone(), claim.clone(), work.clone());
            let message_ids = message_ids.clone();
            async move { commit(tx, &domain, &claim, &work, message_ids).await }.boxed()
        })
        .await?;
    Ok(committed.map(|effect_id| Intent::new(effect_id, deadline)))
}

async fn commit(
    tx: &Tx,
    domain: &Domain,
    claim: &Claim,
    work: &Work,
    message_ids: String,
) -> Result<std::result::Result<String, Shut>> {
    let account = lock_account(tx, &work.account_id).await?;
    let row = load(tx, &work.reply_id).await?;
    let now = tx.now().await?;
    if !crate::sabotage::skips("gate")
        && let Some(shut) = shut(tx, domain, claim, work, &account, &row, now).await?
    {
        return Ok(Err(shut));
    }
    let id = tx.id();
    let not_after = now + domain.settings.click_window_ms;
    let reconcile_after = not_after + domain.settings.request_timeout_ms;
    let effect = effects::ActiveModel {
        id: Set(id.clone()),
        owner_id: Set(row.owner_id.clone()),
        account_id: Set(row.account_id.clone()),
        site: Set(row.site.clone()),
        subject_id: Set(row.id.clone()),
        kind: Set(EffectKind::Reply),
        state: Set(EffectState::Intended),
        claim_epoch: Set(claim.epoch),
        composer_id: Set(claim.worker_id.clone()),
        intent_time: Set(now),
        not_after: Set(not_after),
        reconcile_after: Set(reconcile_after),
        settle_until: Set(reconcile_after + domain.settings.settle_ms),
        known_remote_ids: Set(message_ids),
        target_remote_id: Set(Some(work.conversation_id.clone())),
        target_photo_ids: Set("[]".to_owned()),
        seen: Set(None),
        remote_id: Set(None),
        note: Set(None),
        decide_time: Set(None),
        watch_until: Set(None),
    };
    effects::Entity::insert(effect).exec_without_returning(tx).await?;
    let sending = replies::Model {
        state: ReplyState::Sending,
        attempts: row.attempts + 1,
        ..row
    };
    save(tx, sending, Kind::ReplySending).await?;
    Ok(Ok(id))
}

/// Whether the claim and the consent do not stand any more, or another effect is open.
async fn shut(
    tx: &Tx,
    domain: &Domain,
    claim: &Claim,
    work: &Work,
    account: &accounts::Model,
    row: &replies::Model,
    now: Millis,
) -> Result<Option<Shut>> {
    if claim.require_live(tx).await.is_err() {
        return Ok(Some(Shut::ClaimLost));
    }
    let consented = row.confirm_time.is_some() || (!row.manual && account.mode != Mode::Manual);
    let stands = row.state == ReplyState::Queued && row.content_hash == work.content_hash && consented;
    if !stands || may_act(row, account).is_err() {
        return Ok(Some(Shut::Changed));
    }
    if let Some(until) = account.quiet_until.filter(|until| *until > now) {
        return Ok(Some(Shut::Later(until)));
    }
    let open = effects::Entity::find()
        .filter(effects::Column::AccountId.eq(account.id.as_str()))
        .filter(effects::Column::Kind.eq(EffectKind::Reply))
        .filter(effects::Column::TargetRemoteId.eq(work.conversation_id.as_str()))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    if open.one(tx).await?.is_some() {
        return Ok(Some(Shut::Later(now + domain.settings.settle_poll_ms)));
    }
    Ok(next_intent(tx, &domain.settings, &account.id, now)
        .await?
        .map(Shut::Later))
}
