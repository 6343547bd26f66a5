//! Schedules of recurring work. Each is a row that operators can list and change, with its last run, outcome and next
//! run.
//!
//! A schedule runs at an interval, or daily at a local time of the setting `timezone`: see [`super::cadence`].

use std::collections::HashSet;

use futures::FutureExt;
use jiff::tz::TimeZone;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::cadence::Cadence;
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::schedules;
use crate::{Error, Result};

pub use schedules::Model as Schedule;

/// The outcome of a run that has not completed. It remains if the process was killed.
const RUNNING: &str = "RUNNING";

/// The longest interval: 366 days.
const INTERVAL_MAX: Millis = 366 * 24 * 3_600_000;

/// A due schedule that this process has taken.
#[derive(Clone, Debug)]
pub struct Due {
    pub id: String,
}

/// Inserts missing schedules; existing rows keep their cadence. Daily schedules that are not yet due are moved to the
/// current time zone. A new interval schedule runs at once, a new daily one at its time.
pub async fn write_defaults(
    store: &Store,
    defaults: &[(&'static str, Cadence)],
    zone: &TimeZone,
) -> Result<()> {
    let (defaults, zone) = (defaults.to_vec(), zone.clone());
    store
        .write(move |tx| {
            let (defaults, zone) = (defaults.clone(), zone.clone());
            async move {
                let now = tx.now().await?;
                for (id, cadence) in defaults {
                    let row = schedules::ActiveModel {
                        id: Set(id.to_owned()),
                        interval_ms: Set(cadence.interval_ms()),
                        enabled: Set(true),
                        next_run: Set(match cadence {
                            Cadence::Every(_) => now,
                            Cadence::Daily(_) => cadence.next(now, &zone),
                        }),
                        last_run: Set(None),
                        last_outcome: Set(None),
                        last_message: Set(None),
                        daily_at: Set(cadence.daily_at()),
                    };
                    schedules::Entity::insert(row)
                        .on_conflict(OnConflict::column(schedules::Column::Id).do_nothing().to_owned())
                        .exec_without_returning(tx)
                        .await?;
                }
                let daily = schedules::Entity::find()
                    .filter(schedules::Column::DailyAt.is_not_null())
                    .filter(schedules::Column::NextRun.gt(now));
                for row in tx.locked(daily).all(tx).await? {
                    let next = Cadence::of(&row).next(now, &zone);
                    if next != row.next_run {
                        schedules::Entity::update_many()
                            .col_expr(schedules::Column::NextRun, Expr::value(next))
                            .filter(schedules::Column::Id.eq(row.id))
                            .exec(tx)
                            .await?;
                    }
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Takes every due schedule except those in `busy`, which this process is still running. Of several processes, only one
/// takes each run. Missed runs are skipped: an overdue schedule runs once.
pub async fn take_due(store: &Store, zone: &TimeZone, busy: &HashSet<String>) -> Result<Vec<Due>> {
    let now = store.now().await?;
    let waiting = schedules::Entity::find()
        .filter(schedules::Column::Enabled.eq(true))
        .filter(schedules::Column::NextRun.lte(now))
        .order_by_asc(schedules::Column::Id)
        .all(store.reader())
        .await?;
    let waiting: Vec<_> = waiting
        .into_iter()
        .filter(|row| !busy.contains(&row.id))
        .collect();
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let zone = zone.clone();
    store
        .write(move |tx| {
            let (waiting, zone) = (waiting.clone(), zone.clone());
            async move {
                let now = tx.now().await?;
                let mut taken = Vec::new();
                for row in waiting {
                    let next = match Cadence::of(&row) {
                        Cadence::Every(_) => now + next_interval(&row, &tx.secret()),
                        daily => daily.next(now, &zone),
                    };
                    let updated = schedules::Entity::update_many()
                        .col_expr(schedules::Column::NextRun, Expr::value(next))
                        .col_expr(schedules::Column::LastRun, Expr::value(now))
                        .col_expr(schedules::Column::LastOutcome, Expr::value(RUNNING))
                        .col_expr(schedules::Column::LastMessage, Expr::value(""))
                        .filter(schedules::Column::Id.eq(row.id.as_str()))
                        .filter(schedules::Column::NextRun.eq(row.next_run))
                        .filter(schedules::Column::Enabled.eq(true))
                        .exec(tx)
                        .await?;
                    if updated.rows_affected == 1 {
                        taken.push(Due { id: row.id });
                    }
                }
                Ok(taken)
            }
            .boxed()
        })
        .await
}

/// Returns the time until the next run of an interval schedule. Schedules of accounts (`kind:account`) run up to a
/// tenth earlier or later, so that the runs of many accounts spread out.
fn next_interval(row: &Schedule, random: &[u8; 32]) -> Millis {
    if !row.id.contains(':') {
        return row.interval_ms;
    }
    let [first, second, ..] = random;
    let share = f64::from(u16::from_le_bytes([*first, *second])) / f64::from(u16::MAX);
    row.interval_ms + (row.interval_ms as f64 * 0.1 * (2.0 * share - 1.0)) as Millis
}

/// Records the outcome of a run.
pub async fn complete(store: &Store, id: &str, outcome: &Result<String>) -> Result<()> {
    let id = id.to_owned();
    let (outcome, message) = match outcome {
        Ok(message) => ("OK", message.clone()),
        Err(error) => ("FAILED", error.to_string()),
    };
    store
        .write(move |tx| {
            let (id, message) = (id.clone(), message.clone());
            async move {
                schedules::Entity::update_many()
                    .col_expr(schedules::Column::LastOutcome, Expr::value(outcome))
                    .col_expr(schedules::Column::LastMessage, Expr::value(message))
                    .filter(schedules::Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Lists every schedule, ordered by id.
pub async fn list_schedules(store: &Store) -> Result<Vec<Schedule>> {
    Ok(schedules::Entity::find()
        .order_by_asc(schedules::Column::Id)
        .all(store.reader())
        .await?)
}

/// Changes the cadence of a schedule, or enables or disables it.
///
/// # Errors
/// A violation for an interval shorter than a second or longer than 366 days; NOT_FOUND.
pub async fn update_schedule(
    store: &Store,
    id: &str,
    cadence: Option<Cadence>,
    enabled: Option<bool>,
    zone: &TimeZone,
) -> Result<Schedule> {
    if let Some(Cadence::Every(interval)) = cadence
        && !(1_000..=INTERVAL_MAX).contains(&interval)
    {
        return Err(Error::invalid(
            "interval",
            "must be at least 1 second and at most 366 days",
        ));
    }
    let (id, zone) = (id.to_owned(), zone.clone());
    store
        .write(move |tx| {
            let (id, zone) = (id.clone(), zone.clone());
            async move {
                let row = tx.locked(schedules::Entity::find_by_id(&id)).one(tx).await?;
                let mut row = row.ok_or_else(|| Error::not_found("schedule", &id))?;
                row.enabled = enabled.unwrap_or(row.enabled);
                if let Some(cadence) = cadence {
                    row.interval_ms = cadence.interval_ms();
                    row.daily_at = cadence.daily_at();
                }
                let next = Cadence::of(&row).next(tx.now().await?, &zone);
                row.next_run = match cadence {
                    Some(Cadence::Daily(_)) => next,
                    _ => row.next_run.min(next),
                };
                schedules::Entity::update_many()
                    .col_expr(schedules::Column::IntervalMs, Expr::value(row.interval_ms))
                    .col_expr(schedules::Column::DailyAt, Expr::value(row.daily_at.clone()))
                    .col_expr(schedules::Column::Enabled, Expr::value(row.enabled))
                    .col_expr(schedules::Column::NextRun, Expr::value(row.next_run))
                    .filter(schedules::Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                Ok(row)
            }
            .boxed()
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_runs_are_jittered_by_up_to_a_tenth() {
        let row = |id: &str| Schedule {
            id: id.to_owned(),
            interval_ms: 300_000,
            enabled: true,
            next_run: 0,
            last_run: None,
            last_outcome: None,
            last_message: None,
            daily_at: None,
        };
        assert_eq!(next_interval(&row("sweeper"), &[0; 32]), 300_000);
        assert_eq!(next_interval(&row("inbox_sync:1"), &[0; 32]), 270_000);
        assert_eq!(next_interval(&row("inbox_sync:1"), &[255; 32]), 330_000);
    }
}
