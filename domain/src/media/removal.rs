//! Removes the files of photos that no row references: at once, or when the media store is available again.
//!
//! Several processes share one media store, and equal content is one file. A tombstone row therefore marks a file for
//! deletion. A process records in the tombstone that it starts the removal. A transaction that is about to reference
//! the file takes the lock of the tombstone row ([`clear_tombstone`]). If no removal has started, it deletes the
//! tombstone. Otherwise it has to store the file again.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::files::photo_key;
use crate::clock::Millis;
use crate::store::entities::{file_removals, photos};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Result};

/// The lease of a removal, in milliseconds. It is longer than the slowest response of the media store; another process
/// tries the removal only after that.
const LEASE: Millis = 2 * 60_000;
/// The delay before a failed removal is retried, in milliseconds.
const RETRY_DELAY: Millis = 10_000;
/// The number of files that one call of [`remove_marked`] removes.
const BATCH: u64 = 200;

/// Deletes the tombstone of a file, if there is one. Call it in the transaction that references a stored file. Returns
/// `false` if the file is being removed; the caller then has to store it again.
pub(super) async fn clear_tombstone(tx: &Tx, sha256: &str) -> Result<bool> {
    // The row is written even if the file is not marked, because its lock orders concurrent transactions.
    write_tombstone(tx, sha256).await?;
    let row = file_removals::Entity::find_by_id(sha256).one(tx).await?;
    if row.is_some_and(|row| row.started) {
        return Ok(false);
    }
    file_removals::Entity::delete_by_id(sha256).exec(tx).await?;
    Ok(true)
}

/// Marks a file for deletion. It is removed unless a row references it by then.
pub(super) async fn mark_for_deletion(tx: &Tx, sha256: &str) -> Result<()> {
    write_tombstone(tx, sha256).await
}

/// Marks the files of all photos of a workspace for deletion.
pub(crate) async fn mark_all_for_deletion(tx: &Tx, workspace_id: &str) -> Result<()> {
    let files: Vec<String> = photos::Entity::find()
        .of_workspace(workspace_id)
        .select_only()
        .column(photos::Column::Sha256)
        .order_by_asc(photos::Column::Sha256)
        .into_tuple()
        .all(tx)
        .await?;
    for sha256 in files {
        mark_for_deletion(tx, &sha256).await?;
    }
    Ok(())
}

async fn write_tombstone(tx: &Tx, sha256: &str) -> Result<()> {
    let row = file_removals::ActiveModel {
        sha256: Set(sha256.to_owned()),
        due_time: Set(tx.now().await?),
        started: Set(false),
    };
    // Updating a column to its own value locks an existing row.
    let same = OnConflict::column(file_removals::Column::Sha256)
        .update_column(file_removals::Column::Sha256)
        .to_owned();
    file_removals::Entity::insert(row)
        .on_conflict(same)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Marks files for deletion, and removes the files that no row references.
pub(super) async fn remove_unused(context: &Context, sha256s: &[String]) -> Result<()> {
    let marked = sha256s.to_vec();
    context
        .store
        .write(move |tx| {
            let marked = marked.clone();
            async move {
                for sha256 in &marked {
                    mark_for_deletion(tx, sha256).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await?;
    for sha256 in sha256s {
        remove(context, sha256).await?;
    }
    Ok(())
}

/// Removes up to 200 marked files whose removal is due, for example after an outage of the media store. Stops at the
/// first file that cannot be removed. Returns the number of removed files.
///
/// # Errors
/// The database or the media store fails.
pub async fn remove_marked(context: &Context) -> Result<u64> {
    let now = context.store.now().await?;
    let due: Vec<String> = file_removals::Entity::find()
        .select_only()
        .column(file_removals::Column::Sha256)
        .filter(file_removals::Column::DueTime.lte(now))
        .order_by_asc(file_removals::Column::DueTime)
        .limit(BATCH)
        .into_tuple()
        .all(context.store.reader())
        .await?;
    let mut removed = 0;
    for sha256 in due {
        removed += u64::from(remove(context, &sha256).await?);
    }
    Ok(removed)
}

/// Removes one marked file. Returns `false` if a row references it again or another process removes it.
pub(super) async fn remove(context: &Context, sha256: &str) -> Result<bool> {
    let Some(until) = start_removal(context, sha256).await? else {
        return Ok(false);
    };
    let removed = context.files.delete(&photo_key(sha256)?).await;
    let (sha256, is_removed) = (sha256.to_owned(), removed.is_ok());
    context
        .store
        .write(move |tx| {
            let ours = Condition::all()
                .add(file_removals::Column::Sha256.eq(sha256.as_str()))
                .add(file_removals::Column::DueTime.eq(until));
            async move {
                if is_removed {
                    file_removals::Entity::delete_many().filter(ours).exec(tx).await?;
                } else {
                    let retry_time = tx.now().await? + RETRY_DELAY;
                    file_removals::Entity::update_many()
                        .col_expr(file_removals::Column::DueTime, Expr::value(retry_time))
                        .filter(ours)
                        .exec(tx)
                        .await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await?;
    removed?;
    Ok(true)
}

/// Records the start of a removal in the tombstone. Returns the end of the lease, or `None` if the file must not be
/// removed now.
async fn start_removal(context: &Context, sha256: &str) -> Result<Option<Millis>> {
    let sha256 = sha256.to_owned();
    context
        .store
        .write(move |tx| {
            let sha256 = sha256.clone();
            async move {
                let row = tx.locked(file_removals::Entity::find_by_id(&sha256));
                let now = tx.now().await?;
                if row.one(tx).await?.is_none_or(|row| row.due_time > now) {
                    return Ok(None);
                }
                let named = photos::Entity::find().filter(photos::Column::Sha256.eq(sha256.as_str()));
                // Photos of other workspaces may have the same content.
                let named = tx.of_all_workspaces(async { Ok(named.count(tx).await?) }).await?;
                if named > 0 {
                    file_removals::Entity::delete_by_id(&sha256).exec(tx).await?;
                    return Ok(None);
                }
                let until = now + LEASE;
                file_removals::Entity::update_many()
                    .col_expr(file_removals::Column::DueTime, Expr::value(until))
                    .col_expr(file_removals::Column::Started, Expr::value(true))
                    .filter(file_removals::Column::Sha256.eq(sha256))
                    .exec(tx)
                    .await?;
                Ok(Some(until))
            }
            .boxed()
        })
        .await
}
