//! How many new photos an owner may store in a minute.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::clock::{Millis, rfc3339};
use crate::store::entities::photos;
use crate::{Domain, Error, Reason, Result};

const MINUTE: Millis = 60_000;

/// Refuses photos for which this minute has no room any more. More at once than any minute has room for are taken when the
/// minute is empty, since they would never be otherwise.
pub(super) async fn check(domain: &Domain, owner_id: &str, wanted: usize) -> Result<()> {
    let most = domain.settings.uploads_per_minute;
    let now = domain.store.now().await?;
    let times: Vec<Millis> = photos::Entity::find()
        .select_only()
        .column(photos::Column::CreateTime)
        .filter(photos::Column::OwnerId.eq(owner_id))
        .filter(photos::Column::CreateTime.gt(now - MINUTE))
        .order_by_desc(photos::Column::CreateTime)
        .limit(most.unsigned_abs())
        .into_tuple()
        .all(domain.store.reader())
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
