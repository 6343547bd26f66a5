//! Retention: removes a prefix of the log and moves the floor in the same transaction.

use futures::FutureExt;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, Statement, sea_query::Value};

use crate::Result;
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::event_heads;

/// Removes the events of all workspaces that are older than `before`, except events that an enabled webhook endpoint
/// has not fanned out yet. Returns the number of removed events.
pub async fn retain(store: &Store, before: Millis) -> Result<u64> {
    store
        .write(move |tx| {
            async move {
                let backend = tx.get_database_backend();
                let heads = tx.locked(event_heads::Entity::find().order_by_asc(event_heads::Column::WorkspaceId));
                let mut removed = 0;
                for head in heads.all(tx).await? {
                    // Event times can run backwards if the clock was set back. The floor therefore stops before the
                    // first event to retain, so that only a prefix is removed.
                    let floor = Statement::from_sql_and_values(
                        backend,
                        "SELECT COALESCE(MIN(sequence) - 1, $1) AS floor FROM events WHERE workspace_id = $2 AND (time >= $3 OR sequence > \
                         (SELECT MIN(log_position) FROM webhook_endpoints WHERE workspace_id = $2 AND state = 'ENABLED'))",
                        [Value::from(head.sequence), Value::from(head.workspace_id.as_str()), Value::from(before)],
                    );
                    let Some(row) = tx.query_one_raw(floor).await? else { continue };
                    let floor: i64 = row.try_get("", "floor")?;
                    if floor <= head.floor {
                        continue;
                    }
                    let workspace = Value::from(head.workspace_id.as_str());
                    let delete = "DELETE FROM events WHERE workspace_id = $1 AND sequence <= $2";
                    let values = [workspace.clone(), Value::from(floor)];
                    let result = tx.execute_raw(Statement::from_sql_and_values(backend, delete, values)).await?;
                    removed += result.rows_affected();
                    let advance = "UPDATE event_heads SET floor = $2 WHERE workspace_id = $1";
                    let values = [workspace, Value::from(floor)];
                    tx.execute_raw(Statement::from_sql_and_values(backend, advance, values)).await?;
                }
                Ok(removed)
            }
            .boxed()
        })
        .await
}
