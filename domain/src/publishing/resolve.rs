//! `ResolvePublishJob`: a person reports the outcome of an effect that the site does not show clearly.

use futures::FutureExt;
use serde::Serialize;

use super::job::load_owned;
use super::outcome::{Ended, end_in, settle};
use super::{EffectState, JobKind, PublishJob, State, claims, open_effect};
use crate::identity::Caller;
use crate::store::Tx;
use crate::{Context, Error, Reason, Result, requests};

/// The outcome that the person saw on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Resolution {
    /// The item was published with this id. For a change: the change was made, and the id may be empty.
    Published { remote_item_id: String },
    /// The item was not published, or the change was not made.
    NotPublished,
}

const METHOD: &str = "ResolvePublishJob";

/// Ends a job that waits for a person's answer. Published: the item is claimed for the listing. Not published: the job
/// fails and may be retried, and the site is watched for a late appearance of the item.
///
/// # Errors
/// JOB_STATE_INVALID if the job does not wait for an answer; a violation for an invalid item id;
/// REMOTE_ITEM_ALREADY_LINKED.
pub async fn resolve(
    context: &Context,
    caller: &Caller,
    id: &str,
    resolution: Resolution,
    request_id: Option<String>,
) -> Result<PublishJob> {
    if let Resolution::Published { remote_item_id } = &resolution
        && !remote_item_id.is_empty()
    {
        let digits = remote_item_id.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || remote_item_id.len() > 20 {
            return Err(invalid_item_id());
        }
    }
    let (workspace_id, id) = (caller.workspace_id.clone(), id.to_owned());
    let watch_ms = context.settings.effects.watch_ms;
    context
        .store
        .write(move |tx| {
            let (workspace_id, id) = (workspace_id.clone(), id.clone());
            let (resolution, request_id) = (resolution.clone(), request_id.clone());
            async move {
                let (request_id, parameters) = (request_id.as_deref(), (&id, &resolution));
                if let Some(id) = requests::check(tx, &workspace_id, request_id, METHOD, &parameters).await? {
                    return Ok(load_owned(tx, &workspace_id, &id).await?.into());
                }
                let job = run(tx, &workspace_id, &id, &resolution, watch_ms).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &parameters, &id).await?;
                Ok(job)
            }
            .boxed()
        })
        .await
}

async fn run(
    tx: &Tx,
    workspace_id: &str,
    id: &str,
    resolution: &Resolution,
    watch_ms: i64,
) -> Result<PublishJob> {
    super::lock_account_of(tx, workspace_id, id).await?;
    let mut row = load_owned(tx, workspace_id, id).await?;
    let effect = open_effect(tx, id).await?;
    let effect = effect
        .filter(|_| row.requires_action && row.state == State::Unconfirmed)
        .ok_or_else(|| {
            Error::rejected(Reason::JobStateInvalid, "the job does not wait for an answer")
                .with("publish_job_id", &row.id)
                .with("state", super::state_name(row.state))
        })?;
    match resolution {
        // The item of a change is known, so that the answer only confirms the change.
        Resolution::Published { remote_item_id } if effect.kind.changes() => {
            let known = row.remote_item_id.clone().unwrap_or_default();
            if !remote_item_id.is_empty() && *remote_item_id != known {
                return Err(invalid_item_id());
            }
            settle(
                tx,
                effect,
                EffectState::Done,
                Some(&known),
                "reported by a person",
            )
            .await?;
            end_in(tx, row, Ended::Done).await
        }
        Resolution::Published { remote_item_id } if remote_item_id.is_empty() => Err(invalid_item_id()),
        Resolution::Published { remote_item_id } => {
            claims::claim_item(tx, &row, remote_item_id).await?;
            settle(
                tx,
                effect,
                EffectState::Done,
                Some(remote_item_id),
                "reported by a person",
            )
            .await?;
            row.remote_item_id = Some(remote_item_id.clone());
            end_in(
                tx,
                row,
                Ended::Published {
                    hidden: false,
                    url: None,
                },
            )
            .await
        }
        Resolution::NotPublished => {
            let watched = effect.kind.publishes();
            let effect = settle(tx, effect, EffectState::NotDone, None, "reported by a person").await?;
            if watched {
                super::outcome::watch(tx, &effect, watch_ms).await?;
            }
            // The draft may be incomplete, so that the next attempt saves a new one.
            row.draft_remote_id = None;
            let message = match row.kind {
                JobKind::Publish => "a person reported that it was not published",
                _ => "a person reported that the change was not made",
            };
            end_in(
                tx,
                row,
                Ended::Failed {
                    reason: Reason::OutcomeUnknown,
                    message: message.to_owned(),
                },
            )
            .await
        }
    }
}

fn invalid_item_id() -> Error {
    Error::invalid(
        "published.remote_item_id",
        "must be the number in the address of the item's page",
    )
}
