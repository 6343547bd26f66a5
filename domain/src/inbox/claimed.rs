//! What attempts at a reply and at a thread's removal have in common: a decision, an intent, and an end, each one transaction.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;

use super::replies::lock_account;
use super::replies::outcome::Next;
use crate::jobs::{Claim, Outcome};
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::effects;
use crate::{Domain, Result};

/// Says what a claimed job needs, or how it is let go of because it needs nothing now.
pub(super) type Decide<P> =
    for<'a> fn(&'a Tx, &'a Domain, &'a Claim) -> BoxFuture<'a, Result<std::result::Result<P, Outcome>>>;

/// Moves what a job is for on, and says how the job is let go of.
pub(super) type Apply = for<'a> fn(&'a Tx, &'a Domain, &'a Claim, Next) -> BoxFuture<'a, Result<Outcome>>;

/// Decides what a claimed job needs. `None`: nothing now, and the claim was let go of.
pub(super) async fn decide<P: Send + 'static>(
    domain: &Domain,
    claim: &Claim,
    decide: Decide<P>,
) -> Result<Option<P>> {
    let (domain_, claim) = (domain.clone(), claim.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, claim) = (domain_.clone(), claim.clone());
            async move {
                match decide(tx, &domain, &claim).await? {
                    Ok(plan) => Ok(Some(plan)),
                    Err(outcome) => {
                        claim.finish(tx, &outcome, &domain.settings.back_off()).await?;
                        Ok(None)
                    }
                }
            }
            .boxed()
        })
        .await
}

/// Lets go of a claim, and moves on what it was for. When the claim was lost nothing is written: its new holder decides.
pub(super) async fn conclude(domain: &Domain, claim: &Claim, next: Next, apply: Apply) -> Result<()> {
    let (domain_, claim) = (domain.clone(), claim.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, claim, next) = (domain_.clone(), claim.clone(), next.clone());
            async move {
                lock_account(tx, claim.job.account_id.as_deref().unwrap_or_default()).await?;
                if claim.require_held(tx).await.is_err() {
                    return Ok(());
                }
                let outcome = apply(tx, &domain, &claim, next).await?;
                claim.finish(tx, &outcome, &domain.settings.back_off()).await
            }
            .boxed()
        })
        .await
}

/// What is about to be done in a conversation.
pub(super) struct Intended<'a> {
    pub kind: EffectKind,
    pub owner_id: &'a str,
    pub account_id: &'a str,
    pub site: &'a str,
    pub subject_id: &'a str,
    pub conversation_id: &'a str,
    /// JSON list of what the site showed right before.
    pub known_remote_ids: String,
}

/// Writes an intent into the ledger. The effect's id.
pub(super) async fn insert(
    tx: &Tx,
    domain: &Domain,
    claim: &Claim,
    intended: Intended<'_>,
) -> Result<String> {
    let (id, now) = (tx.id(), tx.now().await?);
    let not_after = now + domain.settings.click_window_ms;
    let reconcile_after = not_after + domain.settings.request_timeout_ms;
    let effect = effects::ActiveModel {
        id: Set(id.clone()),
        owner_id: Set(intended.owner_id.to_owned()),
        account_id: Set(intended.account_id.to_owned()),
        site: Set(intended.site.to_owned()),
        subject_id: Set(intended.subject_id.to_owned()),
        kind: Set(intended.kind),
        state: Set(EffectState::Intended),
        claim_epoch: Set(claim.epoch),
        composer_id: Set(claim.worker_id.clone()),
        intent_time: Set(now),
        not_after: Set(not_after),
        reconcile_after: Set(reconcile_after),
        settle_until: Set(reconcile_after + domain.settings.settle_ms),
        known_remote_ids: Set(intended.known_remote_ids),
        target_remote_id: Set(Some(intended.conversation_id.to_owned())),
        target_photo_ids: Set("[]".to_owned()),
        seen: Set(None),
        remote_id: Set(None),
        note: Set(None),
        decide_time: Set(None),
        watch_until: Set(None),
    };
    effects::Entity::insert(effect).exec_without_returning(tx).await?;
    Ok(id)
}
