//! Finding work that nobody rang for, and forgetting what is over.

use futures::FutureExt;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::State;
use crate::Result;
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::jobs;

/// Ids of jobs that are due, or whose holder's lease ran out, the most urgent first.
pub async fn sweep(store: &Store, limit: u64) -> Result<Vec<String>> {
    let now = store.now().await?;
    let due = Condition::all()
        .add(jobs::Column::State.eq(State::Queued))
        .add(jobs::Column::DueTime.lte(now));
    let abandoned = Condition::all()
        .add(jobs::Column::State.eq(State::Running))
        .add(jobs::Column::LeaseUntil.lte(now));
    Ok(jobs::Entity::find()
        .select_only()
        .column(jobs::Column::Id)
        .filter(Condition::any().add(due).add(abandoned))
        .order_by_desc(jobs::Column::Priority)
        .order_by_asc(jobs::Column::DueTime)
        .limit(limit)
        .into_tuple()
        .all(store.reader())
        .await?)
}

/// Every job that is to be looked at within `horizon` milliseconds, with how long from now: those queued for later, and
/// those of others whose lease would run out. What a worker sets its timers by when it starts.
pub async fn expected(store: &Store, horizon: Millis) -> Result<Vec<(String, Millis)>> {
    let now = store.now().await?;
    let queued = Condition::all()
        .add(jobs::Column::State.eq(State::Queued))
        .add(jobs::Column::DueTime.lte(now + horizon));
    let leased = Condition::all()
        .add(jobs::Column::State.eq(State::Running))
        .add(jobs::Column::LeaseUntil.lte(now + horizon));
    let rows = jobs::Entity::find()
        .filter(Condition::any().add(queued).add(leased))
        .all(store.reader())
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let time = if row.state == State::Queued {
                row.due_time
            } else {
                row.lease_until.unwrap_or(now)
            };
            (row.id, time - now)
        })
        .collect())
}

/// Jobs that become due within `horizon` milliseconds, each with its time and how long that is from now: what every process
/// sets its timers by, whichever one queued them.
pub async fn ahead(store: &Store, horizon: Millis) -> Result<Vec<(String, Millis, Millis)>> {
    let now = store.now().await?;
    let rows: Vec<(String, Millis)> = jobs::Entity::find()
        .select_only()
        .columns([jobs::Column::Id, jobs::Column::DueTime])
        .filter(jobs::Column::State.eq(State::Queued))
        .filter(jobs::Column::DueTime.gt(now))
        .filter(jobs::Column::DueTime.lte(now + horizon))
        .into_tuple()
        .all(store.reader())
        .await?;
    Ok(rows.into_iter().map(|(id, due)| (id, due, due - now)).collect())
}

/// Removes jobs that ended before `before`. Returns how many.
pub async fn purge(store: &Store, before: Millis) -> Result<u64> {
    store
        .write(move |tx| {
            async move {
                let ended = [State::Done, State::Dead, State::Cancelled];
                let result = jobs::Entity::delete_many()
                    .filter(jobs::Column::State.is_in(ended))
                    .filter(jobs::Column::UpdateTime.lt(before))
                    .exec(tx)
                    .await?;
                Ok(result.rows_affected)
            }
            .boxed()
        })
        .await
}
