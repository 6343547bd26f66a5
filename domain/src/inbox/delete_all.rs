//! Everything of an account's inbox, removed with the account.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{ReplyState, Thread};
use crate::events::{Kind, PendingEvent};
use crate::store::Tx;
use crate::store::entities::{inbox_syncs, messages, people, replies, thread_labels, threads};
use crate::{Error, Reason, Result, requests};

/// Removes threads, messages, replies and how far the inbox was read. What was sent stays in the ledger.
///
/// # Errors
/// REPLY_OPEN while a reply has not ended.
pub(crate) async fn delete_all(tx: &Tx, account_id: &str) -> Result<()> {
    let ended = [ReplyState::Sent, ReplyState::Failed, ReplyState::Cancelled];
    let open = replies::Entity::find()
        .filter(replies::Column::AccountId.eq(account_id))
        .filter(replies::Column::State.is_not_in(ended))
        .one(tx)
        .await?;
    if let Some(open) = open {
        return Err(Error::rejected(
            Reason::ReplyOpen,
            "a reply that has not ended stands in the way; cancel it or wait for its end",
        )
        .with("reply_id", open.id));
    }
    let of_account = threads::Entity::find()
        .filter(threads::Column::AccountId.eq(account_id))
        .find_also_related(people::Entity);
    let rows = of_account.all(tx).await?;
    let ids: Vec<String> = rows.iter().map(|(row, _)| row.id.clone()).collect();
    // Engines limit how many values one statement may carry.
    for ids in ids.chunks(500) {
        let of_these = thread_labels::Column::ThreadId.is_in(ids.iter().map(String::as_str));
        thread_labels::Entity::delete_many()
            .filter(of_these)
            .exec(tx)
            .await?;
    }
    messages::Entity::delete_many()
        .filter(messages::Column::AccountId.eq(account_id))
        .exec(tx)
        .await?;
    replies::Entity::delete_many()
        .filter(replies::Column::AccountId.eq(account_id))
        .exec(tx)
        .await?;
    threads::Entity::delete_many()
        .filter(threads::Column::AccountId.eq(account_id))
        .exec(tx)
        .await?;
    inbox_syncs::Entity::delete_many()
        .filter(inbox_syncs::Column::AccountId.eq(account_id))
        .exec(tx)
        .await?;
    requests::forget(tx, &ids).await?;
    for (row, person) in rows {
        if let Some(person) = person.filter(|_| row.delete_time.is_none()) {
            tx.emit(PendingEvent::gone(Kind::ThreadDeleted, &Thread::of(row, person)));
        }
    }
    Ok(())
}
