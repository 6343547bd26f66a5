//! What runs by itself: one row each, visible and changeable, with last run, next run and outcome.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::schedules;
use crate::{Error, Result};

pub use schedules::Model as Schedule;

/// A schedule whose turn this process has won.
#[derive(Clone, Debug)]
pub struct Due {
    pub id: String,
}

/// Writes schedules that are not there yet; those that a person changed are left as they are.
pub async fn write_defaults(store: &Store, defaults: &[(&'static str, Millis)]) -> Result<()> {
    let defaults = defaults.to_vec();
    store
        .write(move |tx| {
            let defaults = defaults.clone();
            async move {
                let now = tx.now().await?;
                for (id, interval_ms) in defaults {
                    let row = schedules::ActiveModel {
                        id: Set(id.to_owned()),
                        interval_ms: Set(interval_ms),
                        enabled: Set(true),
                        next_run: Set(now),
                        last_run: Set(None),
                        last_outcome: Set(None),
                        last_message: Set(None),
                    };
                    schedules::Entity::insert(row)
                        .on_conflict(OnConflict::column(schedules::Column::Id).do_nothing().to_owned())
                        .exec_without_returning(tx)
                        .await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Takes every schedule whose time has come; of several processes one takes each. After a pause it runs once, not once
/// for every turn that was missed.
pub async fn take_due(store: &Store) -> Result<Vec<Due>> {
    let now = store.now().await?;
    let waiting = schedules::Entity::find()
        .filter(schedules::Column::Enabled.eq(true))
        .filter(schedules::Column::NextRun.lte(now))
        .all(store.reader())
        .await?;
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    store
        .write(move |tx| {
            let waiting = waiting.clone();
            async move {
                let now = tx.now().await?;
                let mut taken = Vec::new();
                for row in waiting {
                    let pause = pause(&row, &tx.secret());
                    let updated = schedules::Entity::update_many()
                        .col_expr(schedules::Column::NextRun, Expr::value(now + pause))
                        .col_expr(schedules::Column::LastRun, Expr::value(now))
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

/// How long until the next turn. Turns of accounts (`kind:account`) come up to a tenth earlier or later, so that those of
/// many accounts do not stay together.
fn pause(row: &Schedule, random: &[u8; 32]) -> Millis {
    if !row.id.contains(':') {
        return row.interval_ms;
    }
    let [first, second, ..] = random;
    let share = f64::from(u16::from_le_bytes([*first, *second])) / f64::from(u16::MAX);
    row.interval_ms + (row.interval_ms as f64 * 0.1 * (2.0 * share - 1.0)) as Millis
}

/// Records how a run went.
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

/// Every schedule, by id.
pub async fn list_schedules(store: &Store) -> Result<Vec<Schedule>> {
    Ok(schedules::Entity::find()
        .order_by_asc(schedules::Column::Id)
        .all(store.reader())
        .await?)
}

/// Changes how often a schedule runs, or whether it does. An interval is at least a second.
pub async fn update_schedule(
    store: &Store,
    id: &str,
    interval_ms: Option<Millis>,
    enabled: Option<bool>,
) -> Result<Schedule> {
    if interval_ms.is_some_and(|interval| interval < 1000) {
        return Err(Error::invalid("interval", "an interval is at least 1 second"));
    }
    let id = id.to_owned();
    store
        .write(move |tx| {
            let id = id.clone();
            async move {
                let row = tx.locked(schedules::Entity::find_by_id(&id)).one(tx).await?;
                let mut row = row.ok_or_else(|| Error::not_found("schedule", &id))?;
                row.interval_ms = interval_ms.unwrap_or(row.interval_ms);
                row.enabled = enabled.unwrap_or(row.enabled);
                let now = tx.now().await?;
                row.next_run = row.next_run.min(now + row.interval_ms);
                schedules::Entity::update_many()
                    .col_expr(schedules::Column::IntervalMs, Expr::value(row.interval_ms))
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
    fn turns_of_accounts_are_moved_by_up_to_a_tenth() {
        let row = |id: &str| Schedule {
            id: id.to_owned(),
            interval_ms: 300_000,
            enabled: true,
            next_run: 0,
            last_run: None,
            last_outcome: None,
            last_message: None,
        };
        assert_eq!(pause(&row("sweeper"), &[0; 32]), 300_000);
        assert_eq!(pause(&row("inbox_sync:1"), &[0; 32]), 270_000);
        assert_eq!(pause(&row("inbox_sync:1"), &[255; 32]), 330_000);
    }
}
