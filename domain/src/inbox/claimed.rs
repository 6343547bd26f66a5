//! The common part of the jobs that send a reply or remove a thread on the site. Each job decides, commits an intent
//! and concludes; each of these steps is one transaction.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;

use super::replies::lock_account;
use super::replies::outcome::FollowUp;
use crate::jobs::{Claim, Outcome};
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::effects;
use crate::{Context, Result};

/// Decides on the work of a claimed job. An inner `Err` is the job outcome to write because there is nothing to do now.
pub(super) type Decide<P> =
    for<'a> fn(&'a Tx, &'a Context, &'a Claim) -> BoxFuture<'a, Result<std::result::Result<P, Outcome>>>;

/// Applies the result of an attempt to the reply or thread and returns the outcome of the job.
pub(super) type Apply =
    for<'a> fn(&'a Tx, &'a Context, &'a Claim, FollowUp) -> BoxFuture<'a, Result<Outcome>>;

/// Decides on the work of a claimed job. `None`: there is nothing to do now, and the claim is already released.
pub(super) async fn decide<P: Send + 'static>(
    context: &Context,
    claim: &Claim,
    decide: Decide<P>,
) -> Result<Option<P>> {
    let (context_, claim) = (context.clone(), claim.clone());
    context
        .store
        .write(move |tx| {
            let (context, claim) = (context_.clone(), claim.clone());
            async move {
                match decide(tx, &context, &claim).await? {
                    Ok(plan) => Ok(Some(plan)),
                    Err(outcome) => {
                        claim.finish(tx, &outcome, &context.settings.backoff()).await?;
                        Ok(None)
                    }
                }
            }
            .boxed()
        })
        .await
}

/// Applies the result of an attempt and releases the claim. If the claim was lost, writes nothing, because the new
/// holder decides.
pub(super) async fn conclude(context: &Context, claim: &Claim, next: FollowUp, apply: Apply) -> Result<()> {
    let (context_, claim) = (context.clone(), claim.clone());
    context
        .store
        .write(move |tx| {
            let (context, claim, next) = (context_.clone(), claim.clone(), next.clone());
            async move {
                lock_account(tx, claim.job.account_id.as_deref().unwrap_or_default()).await?;
                if claim.require_held(tx).await.is_err() {
                    return Ok(());
                }
                let outcome = apply(tx, &context, &claim, next).await?;
                claim.finish(tx, &outcome, &context.settings.backoff()).await
            }
            .boxed()
        })
        .await
}

/// An effect in a conversation, before its intent is committed.
pub(super) struct Intended<'a> {
    pub kind: EffectKind,
    pub workspace_id: &'a str,
    pub account_id: &'a str,
    pub site: &'a str,
    pub subject_id: &'a str,
    pub conversation_id: &'a str,
    /// JSON list of the remote ids that the site showed directly before.
    pub known_remote_ids: String,
}

/// Inserts an effect in state INTENDED and returns its id.
pub(super) async fn insert(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    intended: Intended<'_>,
) -> Result<String> {
    let (id, now) = (tx.id(), tx.now().await?);
    let not_after = now + context.settings.effects.click_window_ms;
    let reconcile_after = not_after + context.settings.effects.request_timeout_ms;
    let effect = effects::ActiveModel {
        id: Set(id.clone()),
        workspace_id: Set(intended.workspace_id.to_owned()),
        account_id: Set(intended.account_id.to_owned()),
        site: Set(intended.site.to_owned()),
        subject_id: Set(intended.subject_id.to_owned()),
        kind: Set(intended.kind),
        state: Set(EffectState::Intended),
        claim_epoch: Set(claim.epoch),
        form_session_id: Set(claim.worker_id.clone()),
        intent_time: Set(now),
        not_after: Set(not_after),
        reconcile_after: Set(reconcile_after),
        settle_until: Set(reconcile_after + context.settings.effects.settle_ms),
        known_remote_ids: Set(intended.known_remote_ids),
        target_remote_id: Set(Some(intended.conversation_id.to_owned())),
        target_photo_ids: Set("[]".to_owned()),
        remote_snapshot: Set(None),
        remote_id: Set(None),
        note: Set(None),
        decide_time: Set(None),
        watch_until: Set(None),
    };
    effects::Entity::insert(effect).exec_without_returning(tx).await?;
    Ok(id)
}
