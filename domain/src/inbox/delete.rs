//! `DeleteThread`, and the removal of an account's inbox.

use futures::FutureExt;
use sea_orm::sea_query::Query;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};

use super::Thread;
use super::open::refuse_open_replies;
use super::removal;
use super::row::{load, present};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::store::entities::{accounts, inbox_syncs, messages, people, replies, thread_labels, threads};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Result, requests, search};

const METHOD: &str = "DeleteThread";

/// Hides a thread here; the site is not changed. The row stays, so that the next sync does not store the thread as new.
///
/// # Errors
/// REPLY_OPEN if one of its replies has not ended.
pub async fn delete(context: &Context, caller: &Caller, id: &str, request_id: Option<String>) -> Result<()> {
    let (workspace_id, id) = (caller.workspace_id.clone(), id.to_owned());
    context
        .store
        .write(move |tx| {
            let (workspace_id, id, request_id) = (workspace_id.clone(), id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                if requests::check(tx, &workspace_id, request_id, METHOD, &id)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                let (row, person) = load(tx, &workspace_id, &id).await?;
                refuse_open_replies(tx, replies::Column::ThreadId, &id).await?;
                let now = tx.now().await?;
                let row = threads::Model {
                    delete_time: Some(now),
                    update_time: now,
                    ..row
                };
                row.clone().into_active_model().reset_all().update(tx).await?;
                search::update::forget_threads(tx, std::slice::from_ref(&id)).await?;
                tx.emit(PendingEvent::gone(Kind::ThreadDeleted, &Thread::of(row, person)));
                requests::remember(tx, &workspace_id, request_id, METHOD, &id, &id).await
            }
            .boxed()
        })
        .await
}

/// Removes all inbox data of an account that is deleted. Other people's messages are not retained after the account is
/// gone.
///
/// # Errors
/// REPLY_OPEN if a reply of the account has not ended; THREAD_REMOVAL_OPEN if a thread removal has not ended.
pub(crate) async fn forget_account(tx: &Tx, account: &accounts::Model) -> Result<()> {
    refuse_open_replies(tx, replies::Column::AccountId, &account.id).await?;
    removal::refuse_open(tx, threads::Column::AccountId, &account.id).await?;
    let of_account = threads::Column::AccountId.eq(account.id.as_str());
    for (row, person) in present(&account.workspace_id)
        .filter(of_account.clone())
        .all(tx)
        .await?
    {
        tx.emit(PendingEvent::gone(Kind::ThreadDeleted, &Thread::of(row, person)));
    }
    let ids: Vec<String> = threads::Entity::find()
        .select_only()
        .column(threads::Column::Id)
        .filter(of_account.clone())
        .into_tuple()
        .all(tx)
        .await?;
    search::update::forget_threads(tx, &ids).await?;
    // Databases limit the number of values in one statement.
    for ids in ids.chunks(500) {
        let ids = || ids.iter().map(String::as_str);
        thread_labels::Entity::delete_many()
            .filter(thread_labels::Column::ThreadId.is_in(ids()))
            .exec(tx)
            .await?;
        messages::Entity::delete_many()
            .filter(messages::Column::ThreadId.is_in(ids()))
            .exec(tx)
            .await?;
        replies::Entity::delete_many()
            .filter(replies::Column::ThreadId.is_in(ids()))
            .exec(tx)
            .await?;
    }
    threads::Entity::delete_many().filter(of_account).exec(tx).await?;
    inbox_syncs::Entity::delete_many()
        .filter(inbox_syncs::Column::AccountId.eq(account.id.as_str()))
        .exec(tx)
        .await?;
    let known = Query::select()
        .column(threads::Column::PersonId)
        .from(threads::Entity)
        .to_owned();
    let unknown = people::Entity::find()
        .of_workspace(&account.workspace_id)
        .filter(people::Column::Id.not_in_subquery(known));
    let unknown: Vec<String> = tx
        .locked(unknown)
        .all(tx)
        .await?
        .into_iter()
        .map(|person| person.id)
        .collect();
    search::update::forget_people(tx, &unknown).await?;
    for ids in unknown.chunks(500) {
        people::Entity::delete_many()
            .filter(people::Column::Id.is_in(ids.iter().map(String::as_str)))
            .exec(tx)
            .await?;
    }
    requests::forget(tx, &ids).await
}
