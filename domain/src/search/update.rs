//! Updates the search index. The code that writes a record calls these functions in the same transaction, under the
//! record's row lock.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::Kind;
use super::document::{of_listing, of_message, of_person, of_thread};
use super::index::{put, remove, remove_threads};
use crate::Result;
use crate::store::Tx;
use crate::store::entities::{listings, messages, people, threads};

/// Indexes a thread that was written. `before`: absent for a new thread. A deleted thread is removed from the index; a
/// thread that reappears is indexed again with all its messages.
pub(crate) async fn thread(tx: &Tx, before: Option<&threads::Model>, after: &threads::Model) -> Result<()> {
    let was_here = before.is_some_and(|before| before.delete_time.is_none());
    if after.delete_time.is_some() {
        return if was_here {
            forget_threads(tx, std::slice::from_ref(&after.id)).await
        } else {
            Ok(())
        };
    }
    let Some(before) = before else {
        return put(tx, &after.workspace_id, of_thread(after).into()).await;
    };
    if !was_here || before.person_id != after.person_id {
        let rows = messages::Entity::find()
            .filter(messages::Column::ThreadId.eq(after.id.as_str()))
            .all(tx)
            .await?;
        messages(tx, after, &rows.iter().collect::<Vec<_>>()).await?;
    } else if shown(before) == shown(after) {
        return Ok(());
    }
    put(tx, &after.workspace_id, of_thread(after).into()).await
}

/// Returns the values of a thread's row that the index contains.
fn shown(row: &threads::Model) -> (&str, &str, bool, i64) {
    (&row.subject, &row.note, row.has_offer, row.last_message_time)
}

/// Returns whether the index entry of a message changes.
pub(crate) fn is_other(before: &messages::Model, after: &messages::Model) -> bool {
    let shown = |row: &messages::Model| {
        let document = of_message(row, "");
        (document.texts, document.marks, document.time)
    };
    shown(before) != shown(after)
}

/// Indexes messages that were written. `thread` is their thread's present row.
pub(crate) async fn messages(tx: &Tx, thread: &threads::Model, rows: &[&messages::Model]) -> Result<()> {
    if thread.delete_time.is_some() {
        return Ok(());
    }
    let documents = rows.iter().map(|row| of_message(row, &thread.person_id));
    put(tx, &thread.workspace_id, documents.collect()).await
}

/// Indexes a person that was written or got a thread with another account.
pub(crate) async fn person(tx: &Tx, person_id: &str) -> Result<()> {
    // Threads of several accounts may be stored concurrently.
    let Some(row) = tx.locked(people::Entity::find_by_id(person_id)).one(tx).await? else {
        return Ok(());
    };
    let account_ids: Vec<String> = threads::Entity::find()
        .select_only()
        .column(threads::Column::AccountId)
        .distinct()
        .filter(threads::Column::PersonId.eq(person_id))
        .into_tuple()
        .all(tx)
        .await?;
    put(tx, &row.workspace_id, vec![of_person(&row, &account_ids)]).await
}

/// Indexes a listing that was written.
pub(crate) async fn listing(tx: &Tx, row: &listings::Model) -> Result<()> {
    put(tx, &row.workspace_id, vec![of_listing(row)]).await
}

/// Removes deleted threads and their messages from the index.
pub(crate) async fn forget_threads(tx: &Tx, ids: &[String]) -> Result<()> {
    remove_threads(tx, ids).await
}

/// Removes deleted people from the index.
pub(crate) async fn forget_people(tx: &Tx, ids: &[String]) -> Result<()> {
    remove(tx, Kind::Person, ids.iter().map(String::as_str)).await
}

/// Removes deleted listings from the index.
pub(crate) async fn forget_listings(tx: &Tx, ids: &[String]) -> Result<()> {
    remove(tx, Kind::Listing, ids.iter().map(String::as_str)).await
}
