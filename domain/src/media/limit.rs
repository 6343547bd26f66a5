//! How many new photos an owner may store in a minute.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
};

use crate::clock::{Millis, rfc3339};
use crate::store::Tx;
use crate::store::entities::photos;
use crate::{Domain, Error, Reason, Result};

const MINUTE: Millis = 60_000;

/// Has those who store photos of one owner wait for each other: each would count as many as before otherwise. SQLite has one
/// writer. First in a transaction, so that nobody who waits here holds what others need.
pub(super) async fn one_at_a_time(tx: &Tx, owner_id: &str) -> Result<()> {
    let backend = tx.get_database_backend();
    if backend == DbBackend::Postgres {
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('photos of ' || $1, 0))";
        tx.execute_raw(Statement::from_sql_and_values(backend, lock, [owner_id.into()]))
            .await?;
    }
    Ok(())
}

/// Refuses photos for which this minute has no room any more. More at once than any minute has room for are taken when the
/// minute is empty, since they would never be otherwise.
pub(super) async fn check(
    connection: &impl ConnectionTrait,
    domain: &Domain,
    owner_id: &str,
    now: Millis,
    wanted: usize,
) -> Result<()> {
    if wanted == 0 {
        return Ok(());
    }
    let most = domain.settings.uploads_per_minute;
    let times: Vec<Millis> = photos::Entity::find()
        .select_only()
        .column(photos::Column::CreateTime)
        .filter(photos::Column::OwnerId.eq(owner_id))
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
    // Room for all of them is when so many of those before are a minute old.
    let room = usize::try_from(most - wanted).unwrap_or_default();
    let free = times.get(room).map_or(now, |time| time + MINUTE);
    let message =
        format!("{most} new photos a minute may be uploaded, and there is no room for {wanted} now");
    Err(Error::rejected(Reason::RateLimited, message)
        .with("limit", "uploads_per_minute")
        .with("available_time", rfc3339(free))
        .retry_after(free - now))
}
