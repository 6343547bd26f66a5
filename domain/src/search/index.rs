//! The search index on SQLite and PostgreSQL. Documents are written and removed in the transaction that changes their
//! record.
//!
//! A document's id contains its time, so that id order is time order and a time range is an id range. On SQLite, the id
//! is the rowid of a contentless FTS5 table. On PostgreSQL, the row contains the words as a `tsvector`.

use std::collections::{HashMap, HashSet};

use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, Statement,
    Value,
};
use sha2::{Digest, Sha256};

use super::document::Document;
use super::space::{self, Corpus, Space};
use super::{Kind, periods};
use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::search_documents::{Column, Entity};
use crate::{Error, Result};

/// The number of ids per millisecond.
const SLOTS: i64 = 1_024;
/// The latest time that fits into an id: in the year 2248.
const TIME_MAX: Millis = 1 << 43;
/// The number of rows per statement, below every database's limit on parameters.
const CHUNK: usize = 200;
/// The maximum number of further tries for a free id. Each try moves farther away.
const TRIES: i64 = 200;

/// Returns the first id for documents of this time.
pub(super) fn first_id(time: Millis) -> i64 {
    time.clamp(0, TIME_MAX) * SLOTS
}

/// Writes documents of a workspace and replaces the previous documents of the same records.
pub(super) async fn put(tx: &Tx, workspace_id: &str, mut documents: Vec<Document>) -> Result<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let number = space::number(tx, workspace_id).await?;
    let mut by_kind: HashMap<Kind, Vec<&str>> = HashMap::new();
    for document in &documents {
        by_kind
            .entry(document.kind)
            .or_default()
            .push(&document.entity_id);
    }
    for (kind, ids) in by_kind {
        remove(tx, kind, ids).await?;
    }
    // FTS5 buffers rows in memory while their ids ascend, and writes a segment when an id is lower than the previous
    // id.
    documents.sort_by_key(|document| document.time);
    for chunk in documents.chunks(CHUNK) {
        insert(tx, number, chunk).await?;
    }
    Ok(())
}

/// Removes the documents of records.
pub(super) async fn remove(tx: &Tx, kind: Kind, entity_ids: impl IntoIterator<Item = &str>) -> Result<()> {
    let ids: Vec<&str> = entity_ids.into_iter().collect();
    for ids in ids.chunks(CHUNK) {
        // One subquery per id: given a list, SQLite scans the whole table if its statistics say that it is small. The
        // statistics stay that way long after the table has grown.
        let rows: Vec<String> = (2..ids.len() + 2).map(|number| format!("(${number})")).collect();
        let sql = format!(
            "SELECT (SELECT id FROM search_documents WHERE entity_id = wanted.column1 AND kind = $1) AS id
             FROM (VALUES {}) AS wanted",
            rows.join(", ")
        );
        let mut values: Vec<Value> = vec![kind.to_value().into()];
        values.extend(ids.iter().map(|id| Value::from(*id)));
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
        let mut found = Vec::new();
        for row in tx.query_all_raw(statement).await? {
            found.extend(row.try_get::<Option<i64>>("", "id")?);
        }
        delete(tx, &found).await?;
    }
    Ok(())
}

/// Removes all documents of threads, including those of their messages.
pub(super) async fn remove_threads(tx: &Tx, thread_ids: &[String]) -> Result<()> {
    for ids in thread_ids.chunks(CHUNK) {
        let found: Vec<i64> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::ThreadId.is_in(ids.iter().map(String::as_str)))
            .into_tuple()
            .all(tx)
            .await?;
        delete(tx, &found).await?;
    }
    Ok(())
}

/// Removes documents by id.
pub(super) async fn delete(tx: &Tx, ids: &[i64]) -> Result<()> {
    for ids in ids.chunks(CHUNK) {
        if tx.get_database_backend() == DbBackend::Sqlite {
            let sql = format!(
                "DELETE FROM search_words WHERE rowid IN ({})",
                placeholders(1, ids.len())
            );
            run(tx, &sql, ids.iter().map(|id| (*id).into()).collect()).await?;
        }
        Entity::delete_many()
            .filter(Column::Id.is_in(ids.iter().copied()))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// A document to insert.
struct Entry<'a> {
    id: i64,
    tries: i64,
    space: Space,
    document: &'a Document,
    words: super::document::Words,
}

async fn insert(tx: &Tx, number: i64, documents: &[Document]) -> Result<()> {
    let mut taken = HashSet::new();
    let mut waiting: Vec<Entry<'_>> = documents
        .iter()
        .filter_map(|document| {
            let corpus = match document.kind {
                Kind::Listing => Corpus::Listings,
                _ => Corpus::Inbox,
            };
            let space = Space::of(number, corpus);
            Some(Entry {
                id: 0,
                tries: 0,
                space,
                document,
                words: document.words(space)?,
            })
        })
        .collect();
    while !waiting.is_empty() {
        for entry in &mut waiting {
            loop {
                if entry.tries > TRIES {
                    return Err(Error::Internal(
                        "the search index has no free id near a document's time".to_owned(),
                    ));
                }
                entry.id = candidate_id(entry.document, entry.tries);
                entry.tries += 1;
                if taken.insert(entry.id) {
                    break;
                }
            }
        }
        let written = insert_where_free(tx, &waiting).await?;
        let (done, left): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|entry| written.contains(&entry.id));
        write_words(tx, done).await?;
        waiting = left;
    }
    Ok(())
}

/// Returns an id for a document: at its time, in a slot that its entity id determines. Each further try moves to a
/// slightly later time.
fn candidate_id(document: &Document, tries: i64) -> i64 {
    let hash = Sha256::digest(document.entity_id.as_bytes());
    let slot = i64::from(u16::from_le_bytes([hash[0], hash[1]])) % SLOTS;
    first_id(document.time) + slot + tries * tries * SLOTS + tries
}

/// Inserts the rows whose ids are free and returns those ids.
async fn insert_where_free(tx: &Tx, entries: &[Entry<'_>]) -> Result<HashSet<i64>> {
    let is_postgres = tx.get_database_backend() == DbBackend::Postgres;
    let columns = if is_postgres { 6 } else { 5 };
    let mut rows = Vec::with_capacity(entries.len());
    let mut values: Vec<Value> = Vec::with_capacity(entries.len() * columns);
    for entry in entries {
        let first = values.len() + 1;
        rows.push(if is_postgres {
            format!("({}, ${}::tsvector)", placeholders(first, 5), first + 5)
        } else {
            format!("({})", placeholders(first, 5))
        });
        values.extend([
            entry.id.into(),
            entry.space.0.into(),
            entry.document.kind.to_value().into(),
            entry.document.entity_id.as_str().into(),
            entry.document.thread_id.as_deref().into(),
        ]);
        if is_postgres {
            let periods = periods::of(entry.id).map(|mark| entry.space.word(&mark));
            values.push(entry.words.tsvector(periods).into());
        }
    }
    let words = if is_postgres { ", words" } else { "" };
    let sql = format!(
        "INSERT INTO search_documents (id, space, kind, entity_id, thread_id{words}) VALUES {}
         ON CONFLICT DO NOTHING RETURNING id",
        rows.join(", ")
    );
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

async fn write_words(tx: &Tx, mut entries: Vec<Entry<'_>>) -> Result<()> {
    if tx.get_database_backend() != DbBackend::Sqlite || entries.is_empty() {
        return Ok(());
    }
    entries.sort_by_key(|entry| entry.id);
    let rows = (0..entries.len()).map(|row| format!("({})", placeholders(2 * row + 1, 2)));
    let rows = rows.collect::<Vec<_>>().join(", ");
    let values = entries
        .iter()
        .flat_map(|entry| [entry.id.into(), entry.words.fts5().into()]);
    let sql = format!("INSERT INTO search_words (rowid, words) VALUES {rows}");
    run(tx, &sql, values.collect()).await
}

async fn run(tx: &Tx, sql: &str, values: Vec<Value>) -> Result<()> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    tx.execute_raw(statement).await?;
    Ok(())
}

/// Returns `$first, …`, in the syntax of both databases.
fn placeholders(first: usize, count: usize) -> String {
    let each: Vec<String> = (first..first + count)
        .map(|number| format!("${number}"))
        .collect();
    each.join(", ")
}
