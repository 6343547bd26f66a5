//! The common part of the jobs that send a reply or remove a thread on the site. Each job decides, commits an intent
//! and concludes; each of these steps is one transaction.

use futures::FutureExt;
use futures::future::BoxFuture;

use super::replies::lock_account;
use super::replies::outcome::FollowUp;
use crate::jobs::{Claim, Outcome};
use crate::publishing::EffectKind;
use crate::publishing::intent::{NewEffect, insert_effect};
use crate::store::Tx;
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
    let new = NewEffect {
        kind: intended.kind,
        workspace_id: intended.workspace_id,
        account_id: intended.account_id,
        site: intended.site,
        subject_id: intended.subject_id,
        form_session_id: &claim.worker_id,
        validity_ms: context.settings.effects.click_window_ms,
        known_remote_ids: intended.known_remote_ids,
        target_remote_id: Some(intended.conversation_id.to_owned()),
        target_photo_ids: "[]".to_owned(),
        remote_snapshot: None,
    };
    insert_effect(tx, context, claim, new, tx.now().await?).await
}
