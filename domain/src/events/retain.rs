//! Retention: a prefix of the log goes, and the floor moves with it in one transaction.

use futures::FutureExt;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, Statement, sea_query::Value};

use crate::Result;
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::event_heads;

/// Removes every owner's events from before `before`, except for those that an enabled webhook endpoint has yet to take in.
/// Returns how many went.
pub async fn retain(store: &Store, before: Millis) -> Result<u64> {
    store
        .write(move |tx| {
            async move {
                let backend = tx.get_database_backend();
                let heads = tx.locked(event_heads::Entity::find().order_by_asc(event_heads::Column::OwnerId));
                let mut removed = 0;
                for head in heads.all(tx).await? {
                    // Times may run backwards with the clock; the floor may not, so it follows the newest old event's
                    // predecessors, all of them.
                    let floor = Statement::from_sql_and_values(
                        backend,
                        "SELECT COALESCE(MIN(sequence) - 1, $1) AS floor FROM events WHERE owner_id = $2 AND (time >= $3 OR sequence > \
                         (SELECT MIN(log_position) FROM webhook_endpoints WHERE owner_id = $2 AND state = 'ENABLED'))",
                        [Value::from(head.sequence), Value::from(head.owner_id.as_str()), Value::from(before)],
                    );
                    let Some(row) = tx.query_one_raw(floor).await? else { continue };
                    let floor: i64 = row.try_get("", "floor")?;
                    if floor <= head.floor {
                        continue;
                    }
                    let owner = Value::from(head.owner_id.as_str());
                    let delete = "DELETE FROM events WHERE owner_id = $1 AND sequence <= $2";
                    let values = [owner.clone(), Value::from(floor)];
                    let result = tx.execute_raw(Statement::from_sql_and_values(backend, delete, values)).await?;
                    removed += result.rows_affected();
                    let advance = "UPDATE event_heads SET floor = $2 WHERE owner_id = $1";
                    let values = [owner, Value::from(floor)];
                    tx.execute_raw(Statement::from_sql_and_values(backend, advance, values)).await?;
                }
                Ok(removed)
            }
            .boxed()
        })
        .await
}
