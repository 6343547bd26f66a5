//! Commits the intent to send a reply. Only a committed intent permits one send, until it expires.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::attempt::{Work, next_intent};
use super::{load, lock_account, may_act, save};
use crate::accounts::Mode;
use crate::clock::Millis;
use crate::events::Kind;
use crate::inbox::ReplyState;
use crate::inbox::claimed::{self, Intended};
use crate::jobs::Claim;
use crate::publishing::intent::Intent;
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::{accounts, effects, replies};
use crate::{Context, Result};

/// The reason for which an intent is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntentDenied {
    /// Another worker holds the reply now: stop and write nothing.
    ClaimLost,
    /// The reply must not be sent in its present state: it was cancelled, the account was paused, or its mode changed.
    /// The next attempt decides again.
    Changed,
    /// The account is in cooldown, another reply of this conversation is in doubt, or the budget of this minute is used
    /// up. Try again at this time.
    Later(Millis),
}

/// Commits an intent, or returns the reason for its denial. `message_ids` are the ids of all messages in a complete
/// reading of the conversation made directly before.
pub async fn commit(
    context: &Context,
    claim: &Claim,
    work: &Work,
    message_ids: &[String],
) -> Result<std::result::Result<Intent, IntentDenied>> {
    let deadline = context.clock.since_boot() + context.settings.effects.click_window_ms;
    let message_ids = serde_json::to_string(message_ids)?;
    let (context_, claim, work) = (context.clone(), claim.clone(), work.clone());
    let committed = context
        .store
        .write(move |tx| {
            let (context, claim, work) = (context_.clone(), claim.clone(), work.clone());
            let message_ids = message_ids.clone();
            async move { write_intent(tx, &context, &claim, &work, message_ids).await }.boxed()
        })
        .await?;
    Ok(committed.map(|effect_id| Intent::new(effect_id, deadline)))
}

async fn write_intent(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    work: &Work,
    message_ids: String,
) -> Result<std::result::Result<String, IntentDenied>> {
    let account = lock_account(tx, &work.account_id).await?;
    let row = load(tx, &work.reply_id).await?;
    let now = tx.now().await?;
    if !crate::failpoints::disables("intent_checks")
        && let Some(denied) = denial(tx, context, claim, work, &account, &row, now).await?
    {
        return Ok(Err(denied));
    }
    let intended = Intended {
        kind: EffectKind::Reply,
        workspace_id: &row.workspace_id,
        account_id: &row.account_id,
        site: &row.site,
        subject_id: &row.id,
        conversation_id: &work.conversation_id,
        known_remote_ids: message_ids,
    };
    let id = claimed::insert(tx, context, claim, intended).await?;
    let sending = replies::Model {
        state: ReplyState::Sending,
        attempts: row.attempts + 1,
        ..row
    };
    save(tx, sending, Kind::ReplySending).await?;
    Ok(Ok(id))
}

/// Returns a denial if the claim is lost, the consent no longer holds, the account may not act now, or another effect
/// is open.
async fn denial(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    work: &Work,
    account: &accounts::Model,
    row: &replies::Model,
    now: Millis,
) -> Result<Option<IntentDenied>> {
    if claim.require_live(tx).await.is_err() {
        return Ok(Some(IntentDenied::ClaimLost));
    }
    let consented = row.confirm_time.is_some() || (!row.manual && account.mode != Mode::Manual);
    let is_permitted = row.state == ReplyState::Queued && row.content_hash == work.content_hash && consented;
    if !is_permitted || may_act(row, account).is_err() {
        return Ok(Some(IntentDenied::Changed));
    }
    if let Some(until) = account.cooldown_until.filter(|until| *until > now) {
        return Ok(Some(IntentDenied::Later(until)));
    }
    let open = effects::Entity::find()
        .filter(effects::Column::AccountId.eq(account.id.as_str()))
        .filter(effects::Column::Kind.eq(EffectKind::Reply))
        .filter(effects::Column::TargetRemoteId.eq(work.conversation_id.as_str()))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    if open.one(tx).await?.is_some() {
        return Ok(Some(IntentDenied::Later(
            now + context.settings.effects.settle_poll_ms,
        )));
    }
    Ok(next_intent(tx, &context.settings, &account.id, now)
        .await?
        .map(IntentDenied::Later))
}
