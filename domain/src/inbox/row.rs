//! A thread's row: loaded under its lock and written together with all data that depends on it.

use std::collections::HashMap;

use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, JoinType, QueryFilter, QueryOrder,
    QuerySelect, RelationDef, SelectTwoRequired,
};

use super::{Author, Message, Thread};
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::jobs::{self, NewJob};
use crate::store::entities::{messages, people, thread_labels, threads};
use crate::store::{OfWorkspace, Tx};
use crate::{Error, Result, search};

/// Selects the threads of a workspace that are not deleted, each with its person.
pub(super) fn present(workspace_id: &str) -> SelectTwoRequired<threads::Entity, people::Entity> {
    let person: RelationDef = threads::Entity::belongs_to(people::Entity)
        .from(threads::Column::PersonId)
        .to(people::Column::Id)
        .into();
    threads::Entity::find()
        .join(JoinType::InnerJoin, person)
        .of_workspace(workspace_id)
        .filter(threads::Column::DeleteTime.is_null())
        .select_two_required(people::Entity)
}

/// Loads a thread that is not deleted, with its person, and locks it until the end of the transaction.
pub(crate) async fn load(tx: &Tx, workspace_id: &str, id: &str) -> Result<(threads::Model, people::Model)> {
    let mut rows = load_all(tx, workspace_id, &[id.to_owned()]).await?;
    rows.pop().ok_or_else(|| Error::not_found("thread", id))
}

/// Loads threads that are not deleted, with their people, each once. Rows are locked in id order, so that two calls
/// cannot deadlock. NOT_FOUND if one is missing.
pub(super) async fn load_all(
    tx: &Tx,
    workspace_id: &str,
    ids: &[String],
) -> Result<Vec<(threads::Model, people::Model)>> {
    let query = threads::Entity::find()
        .filter(threads::Column::Id.is_in(ids.iter().map(String::as_str)))
        .of_workspace(workspace_id)
        .filter(threads::Column::DeleteTime.is_null())
        .order_by_asc(threads::Column::Id);
    let rows = tx.locked(query).all(tx).await?;
    let missing = |id: &&String| !rows.iter().any(|row| row.id == **id);
    if let Some(id) = ids.iter().find(missing) {
        return Err(Error::not_found("thread", id));
    }
    let people: HashMap<String, people::Model> = people::Entity::find()
        .filter(people::Column::Id.is_in(rows.iter().map(|row| row.person_id.as_str())))
        .all(tx)
        .await?
        .into_iter()
        .map(|person| (person.id.clone(), person))
        .collect();
    rows.into_iter()
        .map(|row| {
            let person = people.get(&row.person_id).cloned();
            let person = person.ok_or_else(|| Error::Internal(format!("thread {} has no person", row.id)))?;
            Ok((row, person))
        })
        .collect()
}

/// Writes a loaded row and emits the event. Also updates the label table and the search index. A thread that becomes
/// read here and is unread on the site gets a job that marks it as read there.
pub(super) async fn save(
    tx: &Tx,
    before: &threads::Model,
    mut after: threads::Model,
    person: people::Model,
    kind: Kind,
    now: Millis,
) -> Result<()> {
    after.update_time = now;
    after.clone().into_active_model().reset_all().update(tx).await?;
    if before.labels != after.labels {
        write_labels(tx, before, &after).await?;
    }
    if before.unread && !after.unread {
        read_messages(tx, &after.id).await?;
        if after.remote_unread {
            mark_on_site(tx, &after, now).await?;
        }
    }
    search::update::thread(tx, Some(before), &after).await?;
    tx.emit(PendingEvent::changed(kind, &Thread::of(after, person))?);
    Ok(())
}

/// Decodes the labels of a row.
pub(super) fn labels_of(row: &threads::Model) -> Vec<String> {
    serde_json::from_str(&row.labels).unwrap_or_default()
}

async fn write_labels(tx: &Tx, before: &threads::Model, after: &threads::Model) -> Result<()> {
    let (old, new) = (labels_of(before), labels_of(after));
    let gone = old
        .iter()
        .filter(|label| !new.contains(label))
        .map(String::as_str);
    let gone = thread_labels::Column::Label.is_in(gone);
    thread_labels::Entity::delete_many()
        .filter(thread_labels::Column::ThreadId.eq(after.id.as_str()))
        .filter(gone)
        .exec(tx)
        .await?;
    let added = new.iter().filter(|label| !old.contains(label));
    let rows: Vec<_> = added
        .map(|label| thread_labels::ActiveModel {
            thread_id: Set(after.id.clone()),
            label: Set(label.clone()),
            workspace_id: Set(after.workspace_id.clone()),
        })
        .collect();
    if !rows.is_empty() {
        thread_labels::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// Marks the counterparty's messages of a thread as read.
async fn read_messages(tx: &Tx, thread_id: &str) -> Result<()> {
    let unread = messages::Entity::find()
        .filter(messages::Column::ThreadId.eq(thread_id))
        .filter(messages::Column::Author.eq(Author::Person))
        .filter(messages::Column::Read.eq(false))
        .order_by_asc(messages::Column::Position)
        .all(tx)
        .await?;
    for mut row in unread {
        row.read = true;
        let change = messages::ActiveModel {
            id: Set(row.id.clone()),
            read: Set(true),
            ..Default::default()
        };
        change.update(tx).await?;
        tx.emit(PendingEvent::changed(Kind::MessageUpdated, &Message::from(row))?);
    }
    Ok(())
}

async fn mark_on_site(tx: &Tx, row: &threads::Model, now: Millis) -> Result<()> {
    let job = NewJob {
        kind: jobs::Kind::MarkThreadRead,
        workspace_id: Some(row.workspace_id.clone()),
        account_id: Some(row.account_id.clone()),
        subject_id: row.id.clone(),
        due_time: now,
        unique_key: Some(format!("mark-read/{}", row.id)),
    };
    jobs::enqueue(tx, job).await?;
    Ok(())
}
