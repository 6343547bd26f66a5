//! The film strip: every attempt of a job, picture by picture; and forgetting its files when nobody needs them any more.
//!
//! Files are written before the rows that name them, all of a job's in one folder. So whatever a crash leaves behind is in
//! that folder, and goes with it.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{State, Step};
use crate::clock::Millis;
use crate::identity::Caller;
use crate::store::entities::{publish_jobs, publish_steps};
use crate::{Domain, Result};

/// Steps that a film strip shows at most: those of the last attempts.
pub const LENGTH: u64 = 500;
/// Where everything that a job keeps to be looked at is, one folder each.
const FOLDER: &str = "screenshots";
/// Jobs that are asked for at once.
const BATCH: usize = 200;

/// The folder of a job's pictures and page texts.
pub(super) fn folder(job_id: &str) -> String {
    format!("{FOLDER}/{job_id}")
}

/// The last steps of a job of the caller, oldest first.
pub async fn film_strip(domain: &Domain, caller: &Caller, job_id: &str) -> Result<Vec<Step>> {
    super::get(domain, caller, job_id).await?;
    let mut steps = publish_steps::Entity::find()
        .filter(publish_steps::Column::PublishJobId.eq(job_id))
        .order_by_desc(publish_steps::Column::Number)
        .limit(LENGTH)
        .all(domain.store.reader())
        .await?;
    steps.reverse();
    Ok(steps)
}

/// Removes the pictures and page texts of jobs that ended before `before`. Returns of how many jobs.
///
/// The folders themselves are what is gone through, so that a run that was cut off is finished by the next one. A folder
/// without a job is left alone: it may belong to a database that is yet to be restored.
pub async fn forget(domain: &Domain, before: Millis) -> Result<u64> {
    let ids = domain.files.folders(FOLDER).await?;
    let mut forgotten = 0;
    for ids in ids.chunks(BATCH) {
        for id in ended(domain, ids, before).await? {
            // Listed first: what a retry writes from here on is not in the list, and stays.
            let files = domain.files.list(&folder(&id)).await?;
            if !clear(domain, &id, before).await? {
                continue;
            }
            for key in files {
                domain.files.delete(&key).await?;
            }
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

async fn ended(domain: &Domain, ids: &[String], before: Millis) -> Result<Vec<String>> {
    let rows: Vec<(String, Option<Millis>)> = publish_jobs::Entity::find()
        .select_only()
        .column(publish_jobs::Column::Id)
        .column(publish_jobs::Column::EndTime)
        .filter(publish_jobs::Column::Id.is_in(ids))
        .filter(publish_jobs::Column::State.is_in(State::ENDED))
        .into_tuple()
        .all(domain.store.reader())
        .await?;
    let ends: HashMap<_, _> = rows.into_iter().collect();
    Ok(ids
        .iter()
        .filter(|id| ends.get(*id).copied().flatten().is_some_and(|end| end < before))
        .cloned()
        .collect())
}

/// Takes the files' keys out of the rows. `false`: the job goes on again, and keeps what it has.
async fn clear(domain: &Domain, job_id: &str, before: Millis) -> Result<bool> {
    let job_id = job_id.to_owned();
    domain
        .store
        .write(move |tx| {
            let job_id = job_id.clone();
            async move {
                let row = super::job::load(tx, &job_id).await?;
                let is_over = row.state.has_ended() && row.end_time.is_some_and(|end| end < before);
                if !is_over {
                    return Ok(false);
                }
                let nothing = || Expr::value(None::<String>);
                publish_steps::Entity::update_many()
                    .col_expr(publish_steps::Column::ScreenshotKey, nothing())
                    .col_expr(publish_steps::Column::PageTextKey, nothing())
                    .col_expr(publish_steps::Column::ThumbnailKey, nothing())
                    .filter(publish_steps::Column::PublishJobId.eq(job_id.as_str()))
                    .exec(tx)
                    .await?;
                publish_jobs::Entity::update_many()
                    .col_expr(publish_jobs::Column::ScreenshotKey, nothing())
                    .filter(publish_jobs::Column::Id.eq(job_id.as_str()))
                    .exec(tx)
                    .await?;
                Ok(true)
            }
            .boxed()
        })
        .await
}
