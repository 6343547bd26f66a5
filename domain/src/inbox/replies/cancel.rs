//! `CancelReply`: takes a reply back that has not passed its intent.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{load_owned, open_effect, save, wrong_state};
use crate::events::Kind;
use crate::identity::Caller;
use crate::inbox::{Reply, ReplyState};
use crate::store::Tx;
use crate::store::entities::replies;
use crate::{Domain, Error, Reason, Result, requests};

const METHOD: &str = "CancelReply";

/// Takes a reply back. The gate needs it QUEUED, so that a worker that is about to send it is stopped there.
///
/// # Errors
/// TOO_LATE past the intent; REPLY_STATE where it has ended otherwise.
pub async fn cancel(domain: &Domain, caller: &Caller, id: &str, request_id: Option<String>) -> Result<Reply> {
    requests::once(domain, caller, METHOD, id, request_id, |tx, owner_id, id| {
        run(tx, owner_id, id).boxed()
    })
    .await?;
    super::get(domain, caller, id).await
}

async fn run(tx: &Tx, owner_id: &str, id: &str) -> Result<()> {
    let (_, row) = load_owned(tx, owner_id, id).await?;
    match row.state {
        ReplyState::Cancelled => Ok(()),
        ReplyState::Sending | ReplyState::Sent | ReplyState::Unconfirmed => Err(Error::rejected(
            Reason::TooLate,
            "the reply may be with the other side already",
        )
        .with("reply_id", &row.id)),
        ReplyState::Failed => Err(wrong_state(&row, "the reply has ended: it was not sent")),
        ReplyState::AwaitingConfirmation | ReplyState::Queued | ReplyState::Blocked => {
            end(tx, row, Reason::CancelledByPerson, "taken back")
                .await
                .map(drop)
        }
    }
}

/// Takes back every reply of an account that has not passed its intent: what was written for another site, member or mode is
/// not sent. The account is locked.
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

/// The work row finds it ended, and ends too.
pub(super) async fn end(tx: &Tx, row: replies::Model, reason: Reason, message: &str) -> Result<Reply> {
    let row = replies::Model {
        state: ReplyState::Cancelled,
        reason: Some(reason.name()),
        message: Some(message.to_owned()),
        needs_manual: false,
        ..row
    };
    save(tx, row, Kind::ReplyCancelled).await
}
