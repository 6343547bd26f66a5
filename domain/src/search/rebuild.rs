//! Rebuilds a search index step by step while writes continue.
//!
//! Each step is a transaction that indexes a few records under their row locks and stores its position. A record that
//! changes during a rebuild is indexed by its own transaction, before or after the rebuild reaches it; both write the
//! same documents. The last phase removes documents without a record. A rebuild can therefore be killed at any point,
//! and several processes may run steps concurrently.

use std::collections::{HashMap, HashSet};

use futures::FutureExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DeriveActiveEnum, EntityTrait, EnumIter, ExprTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};

use super::document::{Document, of_listing, of_message, of_thread};
use super::index::{delete, put};
use super::space::{self, Corpus, Space};
use super::{Kind, fold, update};
use crate::store::entities::search_indexes::{Column, Entity, Model};
use crate::store::entities::{listings, messages, people, search_documents, threads, workspaces};
use crate::store::{OfWorkspace, Store, Tx};
use crate::{Error, Result};

/// The number of records per step. It is small, so that other writers do not wait long.
const STEP: u64 = 500;

/// The phase of a workspace's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    Threads,
    Messages,
    People,
    Listings,
    /// Remove the documents of deleted records.
    Sweep,
    Complete,
}

/// The progress of a workspace's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub workspace_id: String,
    /// The number of records indexed.
    pub done: i64,
    /// The number of records to index, as counted at the start.
    pub total: i64,
    pub is_complete: bool,
}

/// Starts a rebuild of every workspace's index; [`step`] carries it out.
pub async fn begin(store: &Store) -> Result<()> {
    store
        .write(|tx| {
            async move {
                for workspace in workspaces::Entity::find().all(tx).await? {
                    space::number(tx, &workspace.id).await?;
                    let row = tx.locked(Entity::find_by_id(&workspace.id)).one(tx).await?;
                    if let Some(row) = row {
                        restart(tx, row).await?;
                    }
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Runs one step for an index that is not complete. `None`: all are complete.
pub async fn step(store: &Store) -> Result<Option<Progress>> {
    let waits = Column::Phase
        .ne(Phase::Complete)
        .or(Column::Version.ne(fold::VERSION));
    let waiting = Entity::find()
        .filter(waits)
        .order_by_asc(Column::Number)
        .one(store.reader())
        .await?;
    let Some(waiting) = waiting else { return Ok(None) };
    store
        .write(move |tx| {
            let workspace_id = waiting.workspace_id.clone();
            async move { step_of(tx, &workspace_id).await.map(Some) }.boxed()
        })
        .await
}

async fn step_of(tx: &Tx, workspace_id: &str) -> Result<Progress> {
    let row = tx.locked(Entity::find_by_id(workspace_id)).one(tx).await?;
    let row = row.ok_or_else(|| Error::Internal(format!("workspace {workspace_id} has no index")))?;
    let row = if row.version == fold::VERSION {
        let (count, last) = match row.phase {
            Phase::Threads => index_threads(tx, &row).await?,
            Phase::Messages => index_messages(tx, &row).await?,
            Phase::People => index_people(tx, &row).await?,
            Phase::Listings => index_listings(tx, &row).await?,
            Phase::Sweep => sweep(tx, &row).await?,
            Phase::Complete => (0, None),
        };
        advance(tx, row, count, last).await?
    } else {
        restart(tx, row).await?
    };
    Ok(Progress {
        is_complete: row.phase == Phase::Complete,
        workspace_id: row.workspace_id,
        done: row.done,
        total: row.total,
    })
}

async fn restart(tx: &Tx, row: Model) -> Result<Model> {
    let workspace_id = row.workspace_id.as_str();
    let threads = threads::Entity::find().of_workspace(workspace_id);
    let messages = messages::Entity::find().of_workspace(workspace_id);
    let people = people::Entity::find().of_workspace(workspace_id);
    let listings = listings::Entity::find().of_workspace(workspace_id);
    let total = threads.count(tx).await?
        + messages.count(tx).await?
        + people.count(tx).await?
        + listings.count(tx).await?;
    let row = Model {
        version: fold::VERSION,
        phase: Phase::Threads,
        position: String::new(),
        done: 0,
        total: i64::try_from(total).unwrap_or(i64::MAX),
        update_time: tx.now().await?,
        ..row
    };
    row.clone().into_active_model().reset_all().update(tx).await?;
    Ok(row)
}

/// Stores the position: after the last record, or at the start of the next phase if no record was left.
async fn advance(tx: &Tx, row: Model, count: u64, last: Option<String>) -> Result<Model> {
    let phase = match (row.phase, &last) {
        (phase, Some(_)) => phase,
        (Phase::Threads, None) => Phase::Messages,
        (Phase::Messages, None) => Phase::People,
        (Phase::People, None) => Phase::Listings,
        (Phase::Listings, None) => Phase::Sweep,
        (Phase::Sweep | Phase::Complete, None) => Phase::Complete,
    };
    let row = Model {
        phase,
        position: last.unwrap_or_default(),
        done: row.done + i64::try_from(count).unwrap_or(i64::MAX),
        update_time: tx.now().await?,
        ..row
    };
    row.clone().into_active_model().reset_all().update(tx).await?;
    Ok(row)
}

/// The number of records read, and the id of the last.
type Step = (u64, Option<String>);

async fn index_threads(tx: &Tx, index: &Model) -> Result<Step> {
    let query = threads::Entity::find()
        .of_workspace(&index.workspace_id)
        .filter(threads::Column::Id.gt(index.position.as_str()))
        .order_by_asc(threads::Column::Id)
        .limit(STEP);
    let rows = tx.locked(query).all(tx).await?;
    let here = rows.iter().filter(|row| row.delete_time.is_none());
    put(tx, &index.workspace_id, here.flat_map(of_thread).collect()).await?;
    Ok((rows.len() as u64, rows.last().map(|row| row.id.clone())))
}

async fn index_messages(tx: &Tx, index: &Model) -> Result<Step> {
    let places: Vec<(String, String)> = messages::Entity::find()
        .select_only()
        .columns([messages::Column::Id, messages::Column::ThreadId])
        .of_workspace(&index.workspace_id)
        .filter(messages::Column::Id.gt(index.position.as_str()))
        .order_by_asc(messages::Column::Id)
        .limit(STEP)
        .into_tuple()
        .all(tx)
        .await?;
    if places.is_empty() {
        return Ok((0, None));
    }
    // A writer of a message holds its thread's lock, so these locks exclude concurrent writers.
    let of: HashSet<&str> = places.iter().map(|(_, thread_id)| thread_id.as_str()).collect();
    let query = threads::Entity::find()
        .filter(threads::Column::Id.is_in(of))
        .filter(threads::Column::DeleteTime.is_null())
        .order_by_asc(threads::Column::Id);
    let threads: HashMap<String, String> = tx
        .locked(query)
        .all(tx)
        .await?
        .into_iter()
        .map(|thread| (thread.id, thread.person_id))
        .collect();
    let rows = messages::Entity::find()
        .filter(messages::Column::Id.is_in(places.iter().map(|(id, _)| id.as_str())))
        .all(tx)
        .await?;
    let documents: Vec<Document> = rows
        .iter()
        .filter_map(|row| Some(of_message(row, threads.get(&row.thread_id)?)))
        .collect();
    put(tx, &index.workspace_id, documents).await?;
    Ok((places.len() as u64, places.last().map(|(id, _)| id.clone())))
}

async fn index_people(tx: &Tx, index: &Model) -> Result<Step> {
    let ids: Vec<String> = people::Entity::find()
        .select_only()
        .column(people::Column::Id)
        .of_workspace(&index.workspace_id)
        .filter(people::Column::Id.gt(index.position.as_str()))
        .order_by_asc(people::Column::Id)
        .limit(STEP)
        .into_tuple()
        .all(tx)
        .await?;
    for id in &ids {
        update::person(tx, id).await?;
    }
    Ok((ids.len() as u64, ids.last().cloned()))
}

async fn index_listings(tx: &Tx, index: &Model) -> Result<Step> {
    let query = listings::Entity::find()
        .of_workspace(&index.workspace_id)
        .filter(listings::Column::Id.gt(index.position.as_str()))
        .order_by_asc(listings::Column::Id)
        .limit(STEP);
    let rows = tx.locked(query).all(tx).await?;
    put(tx, &index.workspace_id, rows.iter().map(of_listing).collect()).await?;
    Ok((rows.len() as u64, rows.last().map(|row| row.id.clone())))
}

async fn sweep(tx: &Tx, index: &Model) -> Result<Step> {
    use search_documents::{Column, Entity};

    let spaces = [Corpus::Inbox, Corpus::Listings].map(|corpus| Space::of(index.number, corpus).0);
    let documents = Entity::find()
        .filter(Column::Space.is_in(spaces))
        .filter(Column::Id.gt(index.position.parse::<i64>().unwrap_or(-1)))
        .order_by_asc(Column::Id)
        .limit(STEP)
        .all(tx)
        .await?;
    let mut left = HashSet::new();
    for kind in [Kind::Message, Kind::Thread, Kind::Person, Kind::Listing] {
        let of_kind = documents.iter().filter(|document| match kind {
            Kind::Thread => document.thread_id.is_some(),
            _ => document.kind == kind,
        });
        let ids: HashSet<&str> = of_kind
            .map(|document| match (kind, &document.thread_id) {
                (Kind::Thread, Some(thread_id)) => thread_id.as_str(),
                _ => document.entity_id.as_str(),
            })
            .collect();
        if !ids.is_empty() {
            left.extend(present(tx, kind, ids).await?);
        }
    }
    let is_gone = |document: &&search_documents::Model| {
        let thread = document.thread_id.as_ref();
        !left.contains(&document.entity_id) || thread.is_some_and(|id| !left.contains(id))
    };
    let gone: Vec<i64> = documents
        .iter()
        .filter(is_gone)
        .map(|document| document.id)
        .collect();
    delete(tx, &gone).await?;
    Ok((0, documents.last().map(|document| document.id.to_string())))
}

/// Returns which of these records exist. Deleted threads do not count.
async fn present(tx: &Tx, kind: Kind, ids: HashSet<&str>) -> Result<Vec<String>> {
    let present = match kind {
        Kind::Message => {
            messages::Entity::find()
                .select_only()
                .column(messages::Column::Id)
                .filter(messages::Column::Id.is_in(ids))
                .into_tuple()
                .all(tx)
                .await?
        }
        Kind::Thread | Kind::Note => {
            threads::Entity::find()
                .select_only()
                .column(threads::Column::Id)
                .filter(threads::Column::Id.is_in(ids))
                .filter(threads::Column::DeleteTime.is_null())
                .into_tuple()
                .all(tx)
                .await?
        }
        Kind::Person => {
            people::Entity::find()
                .select_only()
                .column(people::Column::Id)
                .filter(people::Column::Id.is_in(ids))
                .into_tuple()
                .all(tx)
                .await?
        }
        Kind::Listing => {
            listings::Entity::find()
                .select_only()
                .column(listings::Column::Id)
                .filter(listings::Column::Id.is_in(ids))
                .into_tuple()
                .all(tx)
                .await?
        }
    };
    Ok(present)
}
