//! Reads the event log.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Statement,
    sea_query::Value,
};
use serde::{Deserialize, Serialize};

use super::cursor::expired;
use super::{Kind, ResourceType};
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::event_heads;
use crate::{Error, Result};

/// The number of heads that one statement reads. It stays below the parameter limit of both engines.
const HEADS: usize = 1_000;

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub sequence: i64,
    pub time: Millis,
    pub kind: Kind,
    pub resource_type: ResourceType,
    pub resource_id: String,
    pub account_id: Option<String>,
    pub thread_id: Option<String>,
    /// JSON of the resource after the change; `null` if the resource was deleted.
    pub payload: String,
}

/// Consecutive events of one workspace.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub events: Vec<Event>,
    /// The head of the log at the time of the read.
    pub head: i64,
}

#[derive(FromQueryResult)]
struct Row {
    head: i64,
    floor: i64,
    sequence: Option<i64>,
    time: Option<Millis>,
    kind: Option<Kind>,
    resource_type: Option<ResourceType>,
    resource_id: Option<String>,
    account_id: Option<String>,
    thread_id: Option<String>,
    payload: Option<String>,
}

/// Returns the sequence of the newest event of a workspace. 0 if the workspace has no events.
pub async fn head(store: &Store, workspace_id: &str) -> Result<i64> {
    let row = event_heads::Entity::find_by_id(workspace_id)
        .one(store.reader())
        .await?;
    Ok(row.ok_or_else(|| no_log(workspace_id))?.sequence)
}

/// Returns the heads of several workspaces. Workspaces without a log are omitted.
pub async fn heads(store: &Store, workspace_ids: &[&str]) -> Result<Vec<(String, i64)>> {
    let mut heads = Vec::with_capacity(workspace_ids.len());
    for ids in workspace_ids.chunks(HEADS) {
        let rows: Vec<(String, i64)> = event_heads::Entity::find()
            .select_only()
            .columns([event_heads::Column::WorkspaceId, event_heads::Column::Sequence])
            .filter(event_heads::Column::WorkspaceId.is_in(ids.iter().copied()))
            .into_tuple()
            .all(store.reader())
            .await?;
        heads.extend(rows);
    }
    Ok(heads)
}

/// Returns up to `limit` events after the sequence `after`. The same statement reads floor and head.
///
/// # Errors
/// CURSOR_EXPIRED if `after` is below the floor or beyond the head, or if a gap follows it.
pub async fn read(store: &Store, workspace_id: &str, after: i64, limit: u64) -> Result<Page> {
    read_in(store.reader(), workspace_id, after, limit).await
}

/// Reads events as [`read`] does, on a given connection.
pub(crate) async fn read_in(
    connection: &impl ConnectionTrait,
    workspace_id: &str,
    after: i64,
    limit: u64,
) -> Result<Page> {
    let statement = Statement::from_sql_and_values(
        connection.get_database_backend(),
        "SELECT h.sequence AS head, h.floor AS floor, e.sequence AS sequence, e.time AS time, e.kind AS kind, \
         e.resource_type AS resource_type, e.resource_id AS resource_id, e.account_id AS account_id, e.thread_id AS thread_id, \
         e.payload AS payload \
         FROM event_heads h LEFT JOIN (SELECT * FROM events WHERE workspace_id = $1 AND sequence > $2 \
         ORDER BY sequence LIMIT $3) e ON e.workspace_id = h.workspace_id WHERE h.workspace_id = $1 ORDER BY e.sequence",
        [
            Value::from(workspace_id),
            Value::from(after),
            Value::from(limit as i64),
        ],
    );
    let rows = connection.query_all_raw(statement).await?;
    let mut page = Page::default();
    for (index, row) in rows.iter().enumerate() {
        let row = Row::from_query_result(row, "")?;
        page.head = row.head;
        if after < row.floor || after > row.head {
            return Err(expired());
        }
        let Some(event) = row.event() else { continue };
        if event.sequence != after + 1 + index as i64 {
            return Err(expired());
        }
        page.events.push(event);
    }
    if rows.is_empty() {
        return Err(no_log(workspace_id));
    }
    Ok(page)
}

impl Row {
    fn event(self) -> Option<Event> {
        Some(Event {
            sequence: self.sequence?,
            time: self.time?,
            kind: self.kind?,
            resource_type: self.resource_type?,
            resource_id: self.resource_id?,
            account_id: self.account_id,
            thread_id: self.thread_id,
            payload: self.payload?,
        })
    }
}

fn no_log(workspace_id: &str) -> Error {
    Error::Internal(format!("workspace {workspace_id} has no event log"))
}
