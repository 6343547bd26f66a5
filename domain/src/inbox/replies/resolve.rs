//! `ResolveReply`: a person states whether a reply was sent, because the site could not be read for the outcome.

use futures::FutureExt;
use sea_orm::EntityTrait;
use serde::Serialize;

use super::outcome::{self, claim_message};
use super::{load_owned, open_effect, requeue, save, watch, wrong_state};
use crate::events::Kind;
use crate::identity::Caller;
use crate::inbox::{Author, Reply, ReplyState};
use crate::publishing::EffectState;
use crate::store::entities::{messages, replies};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, requests};

/// What the person saw on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Resolution {
    /// The reply was sent. `message_id` is its message, if it is stored here.
    Sent {
        message_id: Option<String>,
    },
    NotSent,
}

const METHOD: &str = "ResolveReply";

/// Ends a reply that asks a person for its outcome.
///
/// # Errors
/// REPLY_STATE_INVALID if the reply does not ask for it. A violation if the message is not the account's own in that
/// thread, or belongs to another reply.
pub async fn resolve(
    context: &Context,
    caller: &Caller,
    id: &str,
    resolution: Resolution,
    request_id: Option<String>,
) -> Result<Reply> {
    let (workspace_id, id) = (caller.workspace_id.clone(), id.to_owned());
    let watch_ms = context.settings.effects.watch_ms;
    context
        .store
        .write(move |tx| {
            let (workspace_id, id) = (workspace_id.clone(), id.clone());
            let (resolution, request_id) = (resolution.clone(), request_id.clone());
            async move {
                let (request_id, parameters) = (request_id.as_deref(), (&id, &resolution));
                let known = requests::check(tx, &workspace_id, request_id, METHOD, &parameters).await?;
                let (_, row) = load_owned(tx, &workspace_id, &id).await?;
                if known.is_some() {
                    return Ok(row.into());
                }
                // The reply's job waits for this answer, and ends after the reply has ended.
                requeue(tx, &row, tx.now().await?).await?;
                let reply = run(tx, row, &resolution, watch_ms).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &parameters, &id).await?;
                Ok(reply)
            }
            .boxed()
        })
        .await
}

async fn run(tx: &Tx, row: replies::Model, resolution: &Resolution, watch_ms: i64) -> Result<Reply> {
    let effect = open_effect(tx, &row.id).await?;
    let effect = effect
        .filter(|_| row.requires_action && row.state == ReplyState::Unconfirmed)
        .ok_or_else(|| wrong_state(&row, "the reply is not waiting for a resolution"))?;
    let note = "stated by a person";
    match resolution {
        Resolution::NotSent => {
            watch::settle_watched(tx, effect, note, watch_ms).await?;
            let row = replies::Model {
                state: ReplyState::Failed,
                requires_action: false,
                reason: Some(Reason::OutcomeUnknown.name()),
                message: Some("a person stated that the reply was not sent".to_owned()),
                ..row
            };
            save(tx, row, Kind::ReplyFailed).await
        }
        Resolution::Sent { message_id } => {
            let message = match message_id {
                None => None,
                Some(id) => Some(own_message(tx, &row, id).await?),
            };
            let remote_id = message.as_ref().and_then(|message| message.remote_id.clone());
            outcome::settle(tx, effect, EffectState::Done, remote_id.as_deref(), note).await?;
            let message_id = match message {
                Some(message) => Some(claim_message(tx, message, &row.id).await?),
                None => None,
            };
            outcome::sent(tx, row, message_id).await
        }
    }
}

async fn own_message(tx: &Tx, row: &replies::Model, id: &str) -> Result<messages::Model> {
    let message = messages::Entity::find_by_id(id).of_workspace(&row.workspace_id);
    let message = message.one(tx).await?;
    message
        .filter(|one| {
            one.thread_id == row.thread_id && one.author == Author::Account && one.reply_id.is_none()
        })
        .ok_or_else(|| {
            Error::invalid(
                "sent.message_id",
                "must be a message of the account in this thread that belongs to no other reply",
            )
        })
}
