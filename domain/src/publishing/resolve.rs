//! `ResolvePublishJob`: a person says what became of a click, where the site could not be read for an answer.

use futures::FutureExt;
use serde::Serialize;

use super::job::load_owned;
use super::outcome::{Ended, end_in, settle};
use super::{EffectState, JobKind, PublishJob, State, claims, open_effect};
use crate::identity::Caller;
use crate::store::Tx;
use crate::{Domain, Error, Reason, Result, requests};

/// What the person saw on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Resolution {
    /// It is there, as this item; of a change, that it is made, and the item may go without saying.
    Published { remote_item_id: String },
    /// It is not there.
    NotPublished,
}

const METHOD: &str = "ResolvePublishJob";

/// Ends a job that asks. Published: the item is claimed for the listing; not published: the job has failed, may be
/// retried, and the site is watched for a late appearance.
pub async fn resolve(
    domain: &Domain,
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
            return Err(no_item_id());
        }
    }
    let (owner_id, id) = (caller.owner_id.clone(), id.to_owned());
    let watch_ms = domain.settings.watch_ms;
    domain
        .store
        .write(move |tx| {
            let (owner_id, id) = (owner_id.clone(), id.clone());
            let (resolution, request_id) = (resolution.clone(), request_id.clone());
            async move {
                let (request_id, parameters) = (request_id.as_deref(), (&id, &resolution));
                if let Some(id) = requests::check(tx, &owner_id, request_id, METHOD, &parameters).await? {
                    return Ok(load_owned(tx, &owner_id, &id).await?.into());
                }
                let job = run(tx, &owner_id, &id, &resolution, watch_ms).await?;
                requests::remember(tx, &owner_id, request_id, METHOD, &parameters, &id).await?;
                Ok(job)
            }
            .boxed()
        })
        .await
}

async fn run(
    tx: &Tx,
    owner_id: &str,
    id: &str,
    resolution: &Resolution,
    watch_ms: i64,
) -> Result<PublishJob> {
    super::lock_account_of(tx, owner_id, id).await?;
    let mut row = load_owned(tx, owner_id, id).await?;
    let effect = open_effect(tx, id).await?;
    let effect = effect
        .filter(|_| row.needs_manual && row.state == State::Unconfirmed)
        .ok_or_else(|| {
            Error::rejected(Reason::JobState, "the job asks nothing")
                .with("publish_job_id", &row.id)
                .with("state", super::state_name(row.state))
        })?;
    match resolution {
        // Of a change, the item is known: what is said is that it was made.
        Resolution::Published { remote_item_id } if effect.kind.changes() => {
            let known = row.remote_item_id.clone().unwrap_or_default();
            if !remote_item_id.is_empty() && *remote_item_id != known {
                return Err(no_item_id());
            }
            settle(tx, effect, EffectState::Done, Some(&known), "said by a person").await?;
            end_in(tx, row, Ended::Done).await
        }
        Resolution::Published { remote_item_id } if remote_item_id.is_empty() => Err(no_item_id()),
        Resolution::Published { remote_item_id } => {
            claims::claim_item(tx, &row, remote_item_id).await?;
            settle(
                tx,
                effect,
                EffectState::Done,
                Some(remote_item_id),
                "said by a person",
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
            let effect = settle(tx, effect, EffectState::NotDone, None, "said by a person").await?;
            if watched {
                super::outcome::watch(tx, &effect, watch_ms).await?;
            }
            // The draft that was to become the item may be half of one: the next attempt saves its own.
            row.draft_remote_id = None;
            let message = match row.kind {
                JobKind::Publish => "a person said that it was not published",
                _ => "a person said that the change was not made",
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

fn no_item_id() -> Error {
    Error::invalid(
        "published.remote_item_id",
        "the number in the address of the item's page",
    )
}
