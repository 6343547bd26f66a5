//! The limit of new photos per workspace and minute (`uploads_per_minute`).

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
};

use crate::clock::{Millis, rfc3339};
use crate::store::entities::photos;
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result};

const MINUTE: Millis = 60_000;

/// Serialises the transactions that store photos of one workspace, so that each counts the photos of the others. SQLite
/// has one writer and needs no lock.
///
/// Call it first in the transaction, so that a waiting transaction holds no other lock.
pub(super) async fn lock_uploads(tx: &Tx, workspace_id: &str) -> Result<()> {
    let backend = tx.get_database_backend();
    if backend == DbBackend::Postgres {
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('photos of ' || $1, 0))";
        tx.execute_raw(Statement::from_sql_and_values(
            backend,
            lock,
            [workspace_id.into()],
        ))
        .await?;
    }
    Ok(())
}

/// Checks that `wanted` new photos fit into the limit. A call with more photos than the limit counts as a full minute,
/// because it could never succeed otherwise.
///
/// # Errors
/// RATE_LIMITED with the time at which the photos fit.
pub(super) async fn check(
    connection: &impl ConnectionTrait,
    context: &Context,
    workspace_id: &str,
    now: Millis,
    wanted: usize,
) -> Result<()> {
    if wanted == 0 {
        return Ok(());
    }
    let most = context.settings.limits.uploads_per_minute;
    let times: Vec<Millis> = photos::Entity::find()
        .select_only()
        .column(photos::Column::CreateTime)
        .of_workspace(workspace_id)
        .filter(photos::Column::CreateTime.gt(now - MINUTE))
        .order_by_desc(photos::Column::CreateTime)
        .limit(most.unsigned_abs())
        .into_tuple()
        .all(connection)
        .await?;
    let wanted = i64::try_from(wanted).unwrap_or(i64::MAX).min(most);
    let stored = i64::try_from(times.len()).unwrap_or(i64::MAX);
    if stored + wanted <= most {
        return Ok(());
    }
    // All of them fit when enough of the stored photos are a minute old.
    let room = usize::try_from(most - wanted).unwrap_or_default();
    let free = times.get(room).map_or(now, |time| time + MINUTE);
    let message =
        format!("at most {most} new photos a minute can be uploaded; {wanted} more exceed the limit now");
    Err(Error::rejected(Reason::RateLimited, message)
        .with("limit", "uploads_per_minute")
        .with("available_time", rfc3339(free))
        .retry_after(free - now))
}
