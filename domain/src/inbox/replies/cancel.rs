//! `CancelReply`: cancels a reply that has no intent yet.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{load_owned, open_effect, save, wrong_state};
use crate::events::Kind;
use crate::identity::Caller;
use crate::inbox::{Reply, ReplyState};
use crate::store::Tx;
use crate::store::entities::replies;
use crate::{Context, Error, Reason, Result, requests};

const METHOD: &str = "CancelReply";

/// Cancels a reply. The intent requires state QUEUED, so that a worker that is about to send the reply is denied.
///
/// # Errors
/// NOT_CANCELLABLE after the intent; REPLY_STATE_INVALID if the reply has failed.
pub async fn cancel(
    context: &Context,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<Reply> {
    requests::once(context, caller, METHOD, id, request_id, |tx, workspace_id, id| {
        run(tx, workspace_id, id).boxed()
    })
    .await?;
    super::get(context, caller, id).await
}

async fn run(tx: &Tx, workspace_id: &str, id: &str) -> Result<()> {
    let (_, row) = load_owned(tx, workspace_id, id).await?;
    match row.state {
        ReplyState::Cancelled => Ok(()),
        ReplyState::Sending | ReplyState::Sent | ReplyState::Unconfirmed => Err(Error::rejected(
            Reason::NotCancellable,
            "the reply may already have reached the counterparty",
        )
        .with("reply_id", &row.id)),
        ReplyState::Failed => Err(wrong_state(&row, "the reply has failed and cannot be cancelled")),
        ReplyState::AwaitingConfirmation | ReplyState::Queued | ReplyState::Blocked => {
            end(tx, row, Reason::CancelledByPerson, "cancelled by a person")
                .await
                .map(drop)
        }
    }
}

/// Cancels all replies of an account that have no intent yet, because they were written for another site, member or
/// mode. The caller has locked the account.
pub async fn cancel_open(tx: &Tx, account_id: &str, reason: Reason, message: &str) -> Result<()> {
    let open = [
        ReplyState::AwaitingConfirmation,
        ReplyState::Queued,
        ReplyState::Blocked,
    ];
    let query = replies::Entity::find()
        .filter(replies::Column::AccountId.eq(account_id))
        .filter(replies::Column::State.is_in(open))
        .order_by_asc(replies::Column::Id);
    for row in tx.locked(query).all(tx).await? {
        if open_effect(tx, &row.id).await?.is_none() {
            end(tx, row, reason, message).await?;
        }
    }
    Ok(())
}

/// Ends a reply as CANCELLED. Its job ends at its next claim.
pub(super) async fn end(tx: &Tx, row: replies::Model, reason: Reason, message: &str) -> Result<Reply> {
    let row = replies::Model {
        state: ReplyState::Cancelled,
        reason: Some(reason.name()),
        message: Some(message.to_owned()),
        requires_action: false,
        ..row
    };
    save(tx, row, Kind::ReplyCancelled).await
}
