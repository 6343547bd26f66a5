//! `ResolveReply`: a person says whether a reply was sent, where the site could not be read for an answer.

use futures::FutureExt;
use sea_orm::EntityTrait;
use serde::Serialize;

use super::outcome::{self, claim_message};
use super::{load_owned, open_effect, requeue, save, watch, wrong_state};
use crate::events::Kind;
use crate::identity::Caller;
use crate::inbox::{Author, Reply, ReplyState};
use crate::publishing::EffectState;
use crate::store::Tx;
use crate::store::entities::{messages, replies};
use crate::{Domain, Error, Reason, Result, requests};

/// What the person saw on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Resolution {
    /// It was sent; as this message, where that is here.
    Sent {
        message_id: Option<String>,
    },
    NotSent,
}

const METHOD: &str = "ResolveReply";

/// Ends a reply that asks.
///
/// # Errors
/// REPLY_STATE where it asks nothing; a violation for a message that is not the account's own in that thread, or that
/// another reply became.
pub async fn resolve(
    domain: &Domain,
    caller: &Caller,
    id: &str,
    resolution: Resolution,
    request_id: Option<String>,
) -> Result<Reply> {
    let (owner_id, id) = (caller.owner_id.clone(), id.to_owned());
    let watch_ms = domain.settings.watch_ms;
    domain
        .store
        .write(move |tx| {
            let (owner_id, id) = (owner_id.clone(), id.clone());
            let (resolution, request_id) = (resolution.clone(), request_id.clone());
            async move {
                let (request_id, parameters) = (request_id.as_deref(), (&id, &resolution));
                let known = requests::check(tx, &owner_id, request_id, METHOD, &parameters).await?;
                let (_, row) = load_owned(tx, &owner_id, &id).await?;
                if known.is_some() {
                    return Ok(row.into());
                }
                // Its row of work waits for this answer, and ends once the reply has.
                requeue(tx, &row, tx.now().await?).await?;
                let reply = run(tx, row, &resolution, watch_ms).await?;
                requests::remember(tx, &owner_id, request_id, METHOD, &parameters, &id).await?;
                Ok(reply)
            }
            .boxed()
        })
        .await
}

async fn run(tx: &Tx, row: replies::Model, resolution: &Resolution, watch_ms: i64) -> Result<Reply> {
    let effect = open_effect(tx, &row.id).await?;
    let effect = effect
        .filter(|_| row.needs_manual && row.state == ReplyState::Unconfirmed)
        .ok_or_else(|| wrong_state(&row, "the reply asks nothing"))?;
    let said = "said by a person";
    match resolution {
        Resolution::NotSent => {
            watch::settle_watched(tx, effect, said, watch_ms).await?;
            let row = replies::Model {
                state: ReplyState::Failed,
                needs_manual: false,
                reason: Some(Reason::OutcomeUnknown.name()),
                message: Some("a person said that it was not sent".to_owned()),
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
            outcome::settle(tx, effect, EffectState::Done, remote_id.as_deref(), said).await?;
            let message_id = match message {
                Some(message) => Some(claim_message(tx, message, &row.id).await?),
                None => None,
            };
            outcome::sent(tx, row, message_id).await
        }
    }
}

async fn own_message(tx: &Tx, row: &replies::Model, id: &str) -> Result<messages::Model> {
    let message = messages::Entity::find_by_id(id).one(tx).await?;
    message
        .filter(|one| {
            one.thread_id == row.thread_id && one.author == Author::Account && one.reply_id.is_none()
        })
        .ok_or_else(|| {
            Error::invalid(
                "sent.message_id",
                "must be a message of the account in this thread that no other reply became",
            )
        })
}
