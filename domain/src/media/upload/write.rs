//! Stores the files of processed photos and writes their rows.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect};

use super::Uploaded;
use super::prepared::Prepared;
use crate::events::{Kind, PendingEvent};
use crate::media::pipeline::Processed;
use crate::media::pipeline::likeness::{self, HashIndex, NEAR_DUPLICATE};
use crate::media::removal::{clear_tombstone, remove_unused};
use crate::media::{NearDuplicate, Photo, file_error, files, limit, mark_used};
use crate::store::entities::photos;
use crate::store::{self, OfWorkspace, Tx};
use crate::{Context, Error, Result};

/// The maximum number of near-duplicates that are stored with a photo.
const NEAR_DUPLICATES_MAX: usize = 20;
/// The number of attempts to store a file that is being removed.
const PUT_ATTEMPTS: usize = 25;
/// The pause between two such attempts.
const PUT_PAUSE: Duration = Duration::from_millis(200);

/// Stores the files, then writes the rows and runs `then` in one transaction. If that fails, the files that no row
/// references are removed.
pub(crate) async fn store_all<T, F>(
    context: &Context,
    workspace_id: &str,
    prepared: Prepared,
    then: F,
) -> Result<T>
where
    T: Send + 'static,
    F: for<'t> Fn(&'t Tx, Vec<Uploaded>) -> futures::future::BoxFuture<'t, Result<T>> + Send + Sync + 'static,
{
    let sha256s: Vec<_> = prepared
        .photos
        .iter()
        .map(|(processed, _)| processed.sha256.clone())
        .collect();
    let work = {
        let (context, workspace_id) = (context.clone(), workspace_id.to_owned());
        async move {
            let then = Arc::new(then);
            for _ in 1..PUT_ATTEMPTS {
                match put_and_write(&context, &workspace_id, prepared.clone(), Arc::clone(&then)).await {
                    Err(Error::Files(files::Error::Going { .. })) => tokio::time::sleep(PUT_PAUSE).await,
                    stored => return stored,
                }
            }
            put_and_write(&context, &workspace_id, prepared, then).await
        }
    };
    // In a spawned task, so a cancelled caller cannot leave a file without its row or its removal.
    let (context, workspace_id) = (context.clone(), workspace_id.to_owned());
    let finished = tokio::spawn(async move {
        let result = store::within(&workspace_id, work).await;
        if result.is_err()
            && let Err(error) = remove_unused(&context, &sha256s).await
        {
            tracing::warn!(%error, "files of photos that were not stored could not be removed");
        }
        result
    });
    finished
        .await
        .map_err(|error| Error::Internal(format!("the task that stores photos ended: {error}")))?
}

async fn put_and_write<T, F>(
    context: &Context,
    workspace_id: &str,
    prepared: Prepared,
    then: Arc<F>,
) -> Result<T>
where
    T: Send + 'static,
    F: for<'t> Fn(&'t Tx, Vec<Uploaded>) -> futures::future::BoxFuture<'t, Result<T>> + Send + Sync + 'static,
{
    for (processed, _) in prepared.photos.iter() {
        context
            .files
            .put_photo(&processed.sha256, processed.bytes.clone())
            .await
            .map_err(file_error)?;
    }
    let others = hashes_of(context, workspace_id).await?;
    let (inner, workspace_id) = (context.clone(), workspace_id.to_owned());
    context
        .store
        .write(move |tx| {
            let (context, workspace_id, prepared, others, then) = (
                inner.clone(),
                workspace_id.clone(),
                prepared.clone(),
                Arc::clone(&others),
                Arc::clone(&then),
            );
            async move {
                limit::lock_uploads(tx, &workspace_id).await?;
                let new = count_new(tx, &workspace_id, &prepared).await?;
                limit::check(tx, &context, &workspace_id, tx.now().await?, new).await?;
                let mut uploaded: Vec<Uploaded> = Vec::with_capacity(prepared.photos.len());
                for (processed, file_name) in prepared.photos.iter() {
                    uploaded
                        .push(write_row(tx, &workspace_id, processed, file_name, &others, &uploaded).await?);
                }
                then(tx, uploaded).await
            }
            .boxed()
        })
        .await
}

/// Counts the photos that the workspace does not have yet.
async fn count_new(tx: &Tx, workspace_id: &str, prepared: &Prepared) -> Result<usize> {
    let wanted: HashSet<_> = prepared
        .photos
        .iter()
        .map(|(photo, _)| photo.sha256.as_str())
        .collect();
    let known = photos::Entity::find()
        .of_workspace(workspace_id)
        .filter(photos::Column::Sha256.is_in(wanted.iter().copied()))
        .count(tx)
        .await?;
    Ok(wanted
        .len()
        .saturating_sub(usize::try_from(known).unwrap_or(usize::MAX)))
}

type Hashes = HashIndex<String>;

async fn hashes_of(context: &Context, workspace_id: &str) -> Result<Arc<Hashes>> {
    let rows: Vec<(String, i64)> = photos::Entity::find()
        .select_only()
        .columns([photos::Column::Id, photos::Column::PerceptualHash])
        .of_workspace(workspace_id)
        .into_tuple()
        .all(context.store.reader())
        .await?;
    let pairs = rows.into_iter().map(|(id, hash)| (hash.cast_unsigned(), id));
    Ok(Arc::new(pairs.collect()))
}

async fn write_row(
    tx: &Tx,
    workspace_id: &str,
    processed: &Processed,
    file_name: &str,
    others: &Hashes,
    before: &[Uploaded],
) -> Result<Uploaded> {
    if !clear_tombstone(tx, &processed.sha256).await? {
        return Err(files::Error::Going {
            sha256: processed.sha256.clone(),
        }
        .into());
    }
    let same = photos::Entity::find()
        .of_workspace(workspace_id)
        .filter(photos::Column::Sha256.eq(processed.sha256.as_str()));
    if let Some(row) = same.clone().one(tx).await? {
        // A repeated upload shows that the caller intends to use the photo, so the cleanup must not remove it.
        mark_used(tx, std::slice::from_ref(&row.id)).await?;
        return Ok(Uploaded {
            photo: row.into(),
            existing: true,
        });
    }
    let id = tx.id();
    let row = photos::Model {
        id: id.clone(),
        workspace_id: workspace_id.to_owned(),
        sha256: processed.sha256.clone(),
        perceptual_hash: processed.perceptual_hash.cast_signed(),
        width: i64::from(processed.width),
        height: i64::from(processed.height),
        size_bytes: i64::try_from(processed.bytes.len()).unwrap_or(i64::MAX),
        content_type: processed.content_type.to_owned(),
        file_name: file_name.to_owned(),
        near_duplicates: serde_json::to_string(&near(processed.perceptual_hash, others, before))?,
        create_time: tx.now().await?,
        sequence: 0,
        used: false,
    };
    let inserted = photos::Entity::insert(row.clone().into_active_model())
        .on_conflict(
            OnConflict::columns([photos::Column::WorkspaceId, photos::Column::Sha256])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        // Another transaction has stored the same content. The insert waited for its commit, so its row is visible now.
        let row = same.one(tx).await?;
        let row =
            row.ok_or_else(|| Error::Internal("a photo can be neither inserted nor found".to_owned()))?;
        return Ok(Uploaded {
            photo: row.into(),
            existing: true,
        });
    }
    let photo = Photo::from(row);
    tx.emit(PendingEvent::changed(Kind::PhotoCreated, &photo)?);
    Ok(Uploaded {
        photo,
        existing: false,
    })
}

/// Returns the near-duplicates among the workspace's photos and the earlier photos of the same call.
fn near(hash: u64, others: &Hashes, before: &[Uploaded]) -> Vec<NearDuplicate> {
    let mut near: Vec<_> = others
        .nearest(hash, NEAR_DUPLICATE)
        .into_iter()
        .map(|(id, distance)| NearDuplicate {
            photo_id: id.clone(),
            distance,
        })
        .collect();
    for new in before.iter().filter(|uploaded| !uploaded.existing) {
        let other = u64::from_str_radix(&new.photo.perceptual_hash, 16).unwrap_or_default();
        let distance = likeness::distance(hash, other);
        if distance <= NEAR_DUPLICATE && near.iter().all(|known| known.photo_id != new.photo.id) {
            near.push(NearDuplicate {
                photo_id: new.photo.id.clone(),
                distance,
            });
        }
    }
    near.sort_by_key(|near| near.distance);
    near.truncate(NEAR_DUPLICATES_MAX);
    near
}
