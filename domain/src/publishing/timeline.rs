//! The step timeline: the steps of all attempts of a job with their thumbnails, and the removal of its files.
//!
//! Files are written before the rows that name them, and all files of a job are in one folder. Therefore files without
//! a row, which a crash can leave, are removed with that folder.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{State, Step};
use crate::clock::Millis;
use crate::identity::Caller;
use crate::store::entities::{publish_jobs, publish_steps};
use crate::{Context, Result};

/// The maximum number of steps in a step timeline. The latest steps are shown.
pub const LENGTH: u64 = 500;
/// The parent folder of the jobs' evidence; each job has one folder in it.
const FOLDER: &str = "screenshots";
/// The number of jobs read by one query.
const BATCH: usize = 200;

/// Returns the folder of a job's screenshots, thumbnails and page texts.
pub(super) fn folder(job_id: &str) -> String {
    format!("{FOLDER}/{job_id}")
}

/// Returns the last steps of a job, at most [`LENGTH`], oldest first.
pub async fn step_timeline(context: &Context, caller: &Caller, job_id: &str) -> Result<Vec<Step>> {
    super::get(context, caller, job_id).await?;
    let mut steps = publish_steps::Entity::find()
        .filter(publish_steps::Column::PublishJobId.eq(job_id))
        .order_by_desc(publish_steps::Column::Number)
        .limit(LENGTH)
        .all(context.store.reader())
        .await?;
    steps.reverse();
    Ok(steps)
}

/// Removes the screenshots, thumbnails and page texts of jobs that ended before `before`. Returns the number of jobs.
///
/// The function lists the folders and not the jobs, so that the next run completes an interrupted one. A folder without
/// a job is not removed, because it may belong to a database that has yet to be restored.
pub async fn forget(context: &Context, before: Millis) -> Result<u64> {
    let ids = context.files.folders(FOLDER).await?;
    let mut forgotten = 0;
    for ids in ids.chunks(BATCH) {
        for id in ended(context, ids, before).await? {
            // The files are listed before the rows are cleared, so that files of a concurrent retry are not removed.
            let files = context.files.list(&folder(&id)).await?;
            if !clear(context, &id, before).await? {
                continue;
            }
            for key in files {
                context.files.delete(&key).await?;
            }
            forgotten += 1;
        }
    }
    Ok(forgotten)
}

/// Removes the screenshots, thumbnails and page texts of a job.
pub(crate) async fn remove_files(context: &Context, job_id: &str) -> Result<()> {
    for key in context.files.list(&folder(job_id)).await? {
        context.files.delete(&key).await?;
    }
    Ok(())
}

async fn ended(context: &Context, ids: &[String], before: Millis) -> Result<Vec<String>> {
    let rows: Vec<(String, Option<Millis>)> = publish_jobs::Entity::find()
        .select_only()
        .column(publish_jobs::Column::Id)
        .column(publish_jobs::Column::EndTime)
        .filter(publish_jobs::Column::Id.is_in(ids))
        .filter(publish_jobs::Column::State.is_in(State::ENDED))
        .into_tuple()
        .all(context.store.reader())
        .await?;
    let ends: HashMap<_, _> = rows.into_iter().collect();
    Ok(ids
        .iter()
        .filter(|id| ends.get(*id).copied().flatten().is_some_and(|end| end < before))
        .cloned()
        .collect())
}

/// Clears the keys of the files in the rows. Returns false if the job has been retried, so that its files remain.
async fn clear(context: &Context, job_id: &str, before: Millis) -> Result<bool> {
    let job_id = job_id.to_owned();
    context
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
