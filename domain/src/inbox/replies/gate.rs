//! The only gate: the transaction that commits an intent to send. What it lets through may be sent once, until it expires.

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
    if !crate::failpoints::disables("gate")
        && let Some(shut) = shut(tx, domain, claim, work, &account, &row, now).await?
    {
        return Ok(Err(shut));
    }
    let intended = Intended {
        kind: EffectKind::Reply,
        owner_id: &row.owner_id,
        account_id: &row.account_id,
        site: &row.site,
        subject_id: &row.id,
        conversation_id: &work.conversation_id,
        known_remote_ids: message_ids,
    };
    let id = claimed::insert(tx, domain, claim, intended).await?;
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
