//! How many publications are allowed in a minute, counted from the ledger and from confirmations; and how many changes of
//! items that are on the site, which are counted apart: taking something off is never to wait for putting something on.

use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{EffectKind, JobKind};
use crate::Result;
use crate::clock::Millis;
use crate::settings::Settings;
use crate::store::entities::{accounts, effects, publish_jobs};

const MINUTE: Millis = 60_000;
/// A number that nothing else on the server is likely to lock: "budget" in ASCII.
const BUDGET: i64 = 0x6275_6467_6574;

/// When the next publish effect may be intended, if not now.
pub(super) async fn next_intent(
    connection: &impl ConnectionTrait,
    settings: &Settings,
    account: &accounts::Model,
    now: Millis,
) -> Result<Option<Millis>> {
    one_at_a_time(connection).await?;
    let query = effects::Entity::find()
        .select_only()
        .column(effects::Column::IntentTime)
        .filter(effects::Column::Kind.eq(EffectKind::Publish))
        .filter(effects::Column::IntentTime.gt(now - MINUTE))
        .order_by_desc(effects::Column::IntentTime);
    let everywhere: Vec<Millis> = query
        .clone()
        .limit(settings.publish_per_minute as u64)
        .into_tuple()
        .all(connection)
        .await?;
    let limit = account_limit(settings, account);
    let account_query = query.filter(effects::Column::AccountId.eq(account.id.as_str()));
    let here: Vec<Millis> = account_query
        .limit(limit as u64)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(free_at(&everywhere, settings.publish_per_minute).max(free_at(&here, limit)))
}

/// When the next confirmation may be given, if not now.
pub(super) async fn next_confirmation(
    connection: &impl ConnectionTrait,
    settings: &Settings,
    account: &accounts::Model,
    now: Millis,
) -> Result<Option<Millis>> {
    one_at_a_time(connection).await?;
    let query = publish_jobs::Entity::find()
        .select_only()
        .column(publish_jobs::Column::ConfirmTime)
        .filter(publish_jobs::Column::Kind.eq(JobKind::Publish))
        .filter(publish_jobs::Column::ConfirmTime.gt(now - MINUTE))
        // A yes for a later time takes its share then.
        .filter(publish_jobs::Column::ScheduleTime.is_null())
        .order_by_desc(publish_jobs::Column::ConfirmTime);
    let everywhere: Vec<Millis> = query
        .clone()
        .limit(settings.publish_per_minute as u64)
        .into_tuple()
        .all(connection)
        .await?;
    let limit = account_limit(settings, account);
    let account_query = query.filter(publish_jobs::Column::AccountId.eq(account.id.as_str()));
    let here: Vec<Millis> = account_query
        .limit(limit as u64)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(free_at(&everywhere, settings.publish_per_minute).max(free_at(&here, limit)))
}

/// What counts everybody's publications waits for others that count them, until these are committed: each would see as many as
/// before otherwise. SQLite has one writer. Nobody who waits here holds what the others still need.
async fn one_at_a_time(connection: &impl ConnectionTrait) -> Result<()> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let lock = format!("SELECT pg_advisory_xact_lock({BUDGET})");
        connection.execute_unprepared(&lock).await?;
    }
    Ok(())
}

/// When the next change of an item may be intended, if not now.
pub(super) async fn next_change(
    connection: &impl ConnectionTrait,
    settings: &Settings,
    account: &accounts::Model,
    now: Millis,
) -> Result<Option<Millis>> {
    let limit = settings.changes_per_minute_account;
    next_of(connection, &account.id, &EffectKind::CHANGES, limit, now).await
}

/// When an account may intend the next effect of these kinds, of which a minute has room for so many; `None`: now.
pub(crate) async fn next_of(
    connection: &impl ConnectionTrait,
    account_id: &str,
    kinds: &[EffectKind],
    limit: i64,
    now: Millis,
) -> Result<Option<Millis>> {
    let here: Vec<Millis> = effects::Entity::find()
        .select_only()
        .column(effects::Column::IntentTime)
        .filter(effects::Column::AccountId.eq(account_id))
        .filter(effects::Column::Kind.is_in(kinds.iter().copied()))
        .filter(effects::Column::IntentTime.gt(now - MINUTE))
        .order_by_desc(effects::Column::IntentTime)
        .limit(limit.unsigned_abs())
        .into_tuple()
        .all(connection)
        .await?;
    Ok(free_at(&here, limit))
}

fn account_limit(settings: &Settings, account: &accounts::Model) -> i64 {
    account
        .publish_limit_per_minute
        .unwrap_or(settings.publish_per_minute_account)
}

/// The newest uses come first; when there are `limit` of them, the oldest of these makes room a minute after it.
fn free_at(newest_first: &[Millis], limit: i64) -> Option<Millis> {
    let full = i64::try_from(newest_first.len()).is_ok_and(|uses| uses >= limit);
    newest_first.last().filter(|_| full).map(|oldest| oldest + MINUTE)
}
