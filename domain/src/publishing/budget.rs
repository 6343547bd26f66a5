//! Rate limits per minute. Publications are counted from `effects` and from confirmations. Changes of published items
//! are counted separately, so that taking an item off the site never waits for a publication.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::{EffectKind, JobKind};
use crate::Result;
use crate::clock::Millis;
use crate::settings::Settings;
use crate::store::Tx;
use crate::store::entities::{accounts, effects, publish_jobs};

const MINUTE: Millis = 60_000;
/// The key of the advisory lock: "budget" in ASCII, to avoid collisions with other locks on the server.
const BUDGET: i64 = 0x6275_6467_6574;

/// Returns when the next intent to publish may be committed. `None`: now.
pub(super) async fn next_intent(
    tx: &Tx,
    settings: &Settings,
    account: &accounts::Model,
    now: Millis,
) -> Result<Option<Millis>> {
    serialize(tx).await?;
    let query = effects::Entity::find()
        .select_only()
        .column(effects::Column::IntentTime)
        .filter(effects::Column::Kind.eq(EffectKind::Publish))
        .filter(effects::Column::IntentTime.gt(now - MINUTE))
        .order_by_desc(effects::Column::IntentTime);
    let everywhere = newest_everywhere(tx, query.clone(), settings).await?;
    let limit = account_limit(settings, account);
    let account_query = query.filter(effects::Column::AccountId.eq(account.id.as_str()));
    let here: Vec<Millis> = account_query.limit(limit as u64).into_tuple().all(tx).await?;
    Ok(next_free_time(&everywhere, settings.publish.per_minute).max(next_free_time(&here, limit)))
}

/// Returns when the next confirmation may be given. `None`: now.
pub(super) async fn next_confirmation(
    tx: &Tx,
    settings: &Settings,
    account: &accounts::Model,
    now: Millis,
) -> Result<Option<Millis>> {
    serialize(tx).await?;
    let query = publish_jobs::Entity::find()
        .select_only()
        .column(publish_jobs::Column::ConfirmTime)
        .filter(publish_jobs::Column::Kind.eq(JobKind::Publish))
        .filter(publish_jobs::Column::ConfirmTime.gt(now - MINUTE))
        // A scheduled publication is counted at its scheduled time.
        .filter(publish_jobs::Column::ScheduleTime.is_null())
        .order_by_desc(publish_jobs::Column::ConfirmTime);
    let everywhere = newest_everywhere(tx, query.clone(), settings).await?;
    let limit = account_limit(settings, account);
    let account_query = query.filter(publish_jobs::Column::AccountId.eq(account.id.as_str()));
    let here: Vec<Millis> = account_query.limit(limit as u64).into_tuple().all(tx).await?;
    Ok(next_free_time(&everywhere, settings.publish.per_minute).max(next_free_time(&here, limit)))
}

/// Returns the newest times of a query, as many as the instance may use in a minute.
async fn newest_everywhere<E: EntityTrait>(
    tx: &Tx,
    query: Select<E>,
    settings: &Settings,
) -> Result<Vec<Millis>> {
    let query = query
        .limit(settings.publish.per_minute as u64)
        .into_tuple::<Millis>();
    tx.of_all_workspaces(async { Ok(query.all(tx).await?) }).await
}

/// Serializes transactions that count the publications of all accounts. Otherwise concurrent transactions would not see
/// each other's publications. SQLite has a single writer. A waiting transaction holds no lock that the others still
/// need.
async fn serialize(tx: &Tx) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let lock = format!("SELECT pg_advisory_xact_lock({BUDGET})");
        tx.execute_unprepared(&lock).await?;
    }
    Ok(())
}

/// Returns when the next intent to change an item may be committed. `None`: now.
pub(super) async fn next_change(
    connection: &impl ConnectionTrait,
    settings: &Settings,
    account: &accounts::Model,
    now: Millis,
) -> Result<Option<Millis>> {
    let limit = settings.publish.changes_per_minute_account;
    next_of(connection, &account.id, &EffectKind::CHANGES, limit, now).await
}

/// Returns when an account may commit the next intent of these kinds, with `limit` intents a minute. `None`: now.
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
    Ok(next_free_time(&here, limit))
}

fn account_limit(settings: &Settings, account: &accounts::Model) -> i64 {
    account
        .publish_limit_per_minute
        .unwrap_or(settings.publish.per_minute_account)
}

/// Returns when a use is free: a minute after the oldest of the last `limit` uses. `None`: fewer uses than `limit`.
fn next_free_time(newest_first: &[Millis], limit: i64) -> Option<Millis> {
    let full = i64::try_from(newest_first.len()).is_ok_and(|uses| uses >= limit);
    newest_first.last().filter(|_| full).map(|oldest| oldest + MINUTE)
}
