//! The jobs that a worker may claim now, for its dispatcher.

use sea_orm::sea_query::Value;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Statement};

use super::{Kind, State};
use crate::Result;
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::jobs;

/// The maximum number of jobs of each kind that one query returns.
const OF_KIND: usize = 128;

/// A job that may be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: String,
    pub kind: Kind,
    /// The account that the fair scheduler counts the job for: its account, or its workspace if it has no account.
    pub account: String,
}

/// The result of [`due`].
#[derive(Clone, Debug, Default)]
pub struct DueJobs {
    /// Claimable jobs, the most urgent first. For each kind, the first job of every account is selected before the
    /// second of any account. Therefore older jobs of another kind or account cannot crowd a job out.
    pub candidates: Vec<Candidate>,
    /// Kinds of which there may be more jobs than the query returned.
    pub more: Vec<Kind>,
    /// Milliseconds until the next job is due or the next lease expires. `None`: no such time is known.
    pub next: Option<Millis>,
}

/// Finds jobs of these kinds that are due or whose lease has expired.
pub async fn due(store: &Store, wanted: &[Kind]) -> Result<DueJobs> {
    let connection = store.reader();
    let now = store.now().await?;
    let backend = connection.get_database_backend();
    // The names are constants of the program, so that the SQL text is safe.
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
             SELECT id, kind, COALESCE(account_id, workspace_id, '') AS account, priority, due_time, \
             ROW_NUMBER() OVER (PARTITION BY kind, COALESCE(account_id, workspace_id, '') ORDER BY priority DESC, due_time, id) AS place \
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

/// Returns the kinds of those jobs that are queued or running.
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
