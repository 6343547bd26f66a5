//! What a worker may take now, for whoever shares its hands out.

use sea_orm::sea_query::Value;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement};

use super::{Kind, State};
use crate::Result;
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::jobs;

/// Jobs of each kind that one look brings; the next look brings the next ones.
const OF_KIND: usize = 128;

/// A job that may be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: String,
    pub kind: Kind,
    /// Whose turn it is: the account, or the owner of what belongs to none.
    pub account: String,
}

/// What there is to do.
#[derive(Clone, Debug, Default)]
pub struct DueJobs {
    /// The most urgent first; of each kind the first of every account before the second of any. So they are there however
    /// many of another kind, or of one account, are older.
    pub candidates: Vec<Candidate>,
    /// Kinds of which there may be more than a look brings.
    pub more: Vec<Kind>,
    /// Milliseconds until the next job comes due, or the next lease runs out. `None`: none is known of.
    pub next: Option<Millis>,
}

/// Jobs of these kinds that are due, or whose holder's lease ran out.
pub async fn due(store: &Store, wanted: &[Kind]) -> Result<DueJobs> {
    let connection = store.reader();
    let now = store.now().await?;
    let backend = connection.get_database_backend();
    // The names are the program's own.
    let kinds = wanted
        .iter()
        .map(|kind| format!("'{}'", sea_orm::ActiveEnum::to_value(kind)))
        .collect::<Vec<_>>()
        .join(", ");
    let ready = Statement::from_sql_and_values(
        backend,
        format!(
            "SELECT id, kind, account FROM (\
             SELECT id, kind, account, priority, due_time, \
             ROW_NUMBER() OVER (PARTITION BY kind ORDER BY place, priority DESC, due_time, id) AS turn FROM (\
             SELECT id, kind, COALESCE(account_id, owner_id, '') AS account, priority, due_time, \
             ROW_NUMBER() OVER (PARTITION BY kind, COALESCE(account_id, owner_id, '') ORDER BY priority DESC, due_time, id) AS place \
             FROM jobs WHERE kind IN ({kinds}) AND ((state = 'QUEUED' AND due_time <= $1) OR (state = 'RUNNING' AND lease_until <= $1))\
             ) AS ready WHERE place <= $2) AS turns WHERE turn <= $2 ORDER BY priority DESC, due_time, id"
        ),
        [Value::from(now), Value::from(OF_KIND as i64)],
    );
    let rows = connection.query_all_raw(ready).await?;
    let candidates: Vec<Candidate> = rows
        .iter()
        .map(|row| {
            Ok(Candidate {
                id: row.try_get("", "id")?,
                kind: row.try_get("", "kind")?,
                account: row.try_get("", "account")?,
            })
        })
        .collect::<Result<_>>()?;
    let next = Statement::from_sql_and_values(
        backend,
        format!(
            "SELECT MIN(time) AS time FROM (\
             SELECT MIN(due_time) AS time FROM jobs WHERE kind IN ({kinds}) AND state = 'QUEUED' AND due_time > $1 UNION ALL \
             SELECT MIN(lease_until) AS time FROM jobs WHERE kind IN ({kinds}) AND state = 'RUNNING' AND lease_until > $1) AS times"
        ),
        [Value::from(now)],
    );
    let next = connection.query_one_raw(next).await?;
    let next: Option<Millis> = match next {
        Some(row) => row.try_get("", "time")?,
        None => None,
    };
    let of_kind = |kind: &Kind| candidates.iter().filter(|found| found.kind == *kind).count();
    let more = wanted
        .iter()
        .copied()
        .filter(|kind| of_kind(kind) >= OF_KIND)
        .collect();
    Ok(DueJobs {
        candidates,
        more,
        next: next.map(|time| time - now),
    })
}

/// Which kind each of these jobs is of, as far as they are still to be done.
pub async fn kinds_of(store: &Store, ids: &[String]) -> Result<Vec<(String, Kind)>> {
    Ok(jobs::Entity::find()
        .select_only()
        .column(jobs::Column::Id)
        .column(jobs::Column::Kind)
        .filter(jobs::Column::Id.is_in(ids))
        .filter(jobs::Column::State.is_in([State::Queued, State::Running]))
        .into_tuple()
        .all(store.reader())
        .await?)
}
