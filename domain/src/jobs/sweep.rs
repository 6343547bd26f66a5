//! Finding jobs whose notification was lost, and removing ended jobs.

use futures::FutureExt;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::State;
use crate::Result;
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::jobs;

/// Returns ids of jobs that are due or whose lease has expired, the most urgent first.
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

/// Removes jobs that ended before `before`. Returns the number of removed jobs.
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
