//! Stores photos: processes them, stores the files, then writes the rows. After an error, neither rows nor files
//! remain.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt as _};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect};

use super::names::{base_name, check_name};
use super::pipeline::likeness::{HashIndex, NEAR_DUPLICATE};
use super::pipeline::work::{self, Room};
use super::pipeline::{self, Processed, Source, process_off_thread};
use super::refusal::photo_error;
use super::removal::{clear_tombstone, remove_unused};
use super::{NearDuplicate, Photo, Spooled, by_ids, file_error, files, limit, mark_used};
use crate::events::{Ephemeral, Kind, PendingEvent};
use crate::identity::Caller;
use crate::store::Tx;
use crate::store::entities::photos;
use crate::{Context, Error, Reason, Result, requests};

/// The maximum number of near-duplicates that are stored with a photo.
const NEAR_DUPLICATES_MAX: usize = 20;
/// The method name under which the use of an upload ticket is recorded, next to the methods of the contract.
const LINK: &str = "PUT /media/upload";
/// The number of attempts to store a file that is being removed.
const PUT_ATTEMPTS: usize = 25;
/// The pause between two such attempts.
const PUT_PAUSE: Duration = Duration::from_millis(200);

/// An uploaded picture in memory.
#[derive(Clone, Debug)]
pub struct NewPhoto {
    pub bytes: Bytes,
    /// The file name. Folders are removed. Empty: none.
    pub file_name: String,
}

/// An uploaded picture in the spool.
#[derive(Clone, Debug)]
pub struct SpooledPhoto {
    pub picture: Spooled,
    /// The file name, as in [`NewPhoto`].
    pub file_name: String,
}

/// An uploaded picture, in memory or in the spool.
#[derive(Clone, Debug)]
pub struct Arrived {
    source: Source,
    file_name: String,
}

impl From<NewPhoto> for Arrived {
    fn from(new: NewPhoto) -> Self {
        Self {
            source: new.bytes.into(),
            file_name: new.file_name,
        }
    }
}

impl From<SpooledPhoto> for Arrived {
    fn from(new: SpooledPhoto) -> Self {
        Self {
            source: new.picture.into(),
            file_name: new.file_name,
        }
    }
}

/// A stored photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    pub photo: Photo,
    /// Whether the workspace had a photo with the same content, which is returned.
    pub existing: bool,
}

/// Processed photos that are ready to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    photos: Arc<Vec<(Processed, String)>>,
    _room: Arc<Room>,
    /// The hashes and names of the uploaded pictures, as parameters of the idempotency key.
    pub parameters: Vec<(String, String)>,
}

/// Stores one photo.
///
/// # Errors
/// The reasons that start with PHOTO; STORAGE_FULL, RATE_LIMITED; violations.
pub async fn upload(
    context: &Context,
    caller: &Caller,
    new: NewPhoto,
    request_id: Option<String>,
) -> Result<Uploaded> {
    upload_as(context, &caller.workspace_id, new, request_id).await
}

/// Stores a photo that vintedbot has fetched for a workspace, and marks it as used.
///
/// # Errors
/// As [`upload`].
pub async fn store(context: &Context, workspace_id: &str, new: NewPhoto) -> Result<Uploaded> {
    let uploaded = upload_as(context, workspace_id, new, None).await?;
    let id = uploaded.photo.id.clone();
    context
        .store
        .write(move |tx| {
            let id = id.clone();
            async move { mark_used(tx, &[id]).await }.boxed()
        })
        .await?;
    Ok(uploaded)
}

async fn upload_as(
    context: &Context,
    workspace_id: &str,
    new: NewPhoto,
    request_id: Option<String>,
) -> Result<Uploaded> {
    single(
        run(
            context,
            workspace_id,
            vec![new.into()],
            request_id,
            None,
            "UploadPhoto",
        )
        .await?,
    )
}

/// Stores the photo of an upload ticket.
pub(super) async fn upload_by_link(
    context: &Context,
    workspace_id: &str,
    source: Source,
    file_name: String,
    request_id: Option<String>,
    link: Option<String>,
) -> Result<Uploaded> {
    let new = vec![Arrived { source, file_name }];
    single(run(context, workspace_id, new, request_id, link, "UploadPhoto").await?)
}

fn single(mut uploaded: Vec<Uploaded>) -> Result<Uploaded> {
    uploaded
        .pop()
        .ok_or_else(|| Error::Internal("an upload of one photo returned none".to_owned()))
}

/// Stores several photos: all of them, or none after an error. Watchers receive the progress under `request_id`.
///
/// # Errors
/// As [`upload`].
pub async fn upload_many(
    context: &Context,
    caller: &Caller,
    new: Vec<impl Into<Arrived>>,
    request_id: Option<String>,
) -> Result<Vec<Uploaded>> {
    if new.is_empty() {
        return Err(Error::invalid("photos", "at least one is required"));
    }
    let new = new.into_iter().map(Into::into).collect();
    run(
        context,
        &caller.workspace_id,
        new,
        request_id,
        None,
        "UploadPhotos",
    )
    .await
}

async fn run(
    context: &Context,
    workspace_id: &str,
    new: Vec<Arrived>,
    request_id: Option<String>,
    link: Option<String>,
    method: &'static str,
) -> Result<Vec<Uploaded>> {
    let prepared = prepare(context, workspace_id, new, request_id.as_deref()).await?;
    let parameters = prepared.parameters.clone();
    let workspace = workspace_id.to_owned();
    // Equal content is one photo, so a repeated call simply runs again and returns the same photos.
    let stored = store_all(context, workspace_id, prepared, move |tx, uploaded| {
        let (workspace, request_id, parameters) = (workspace.clone(), request_id.clone(), parameters.clone());
        let link = link.clone();
        async move {
            let request_id = request_id.as_deref();
            if let Some(link) = link.as_deref() {
                consume_link(tx, &workspace, link, &parameters).await?;
            }
            if requests::check(tx, &workspace, request_id, method, &parameters)
                .await?
                .is_none()
                && let Some(first) = uploaded.first()
            {
                requests::remember(tx, &workspace, request_id, method, &parameters, &first.photo.id).await?;
            }
            Ok(uploaded)
        }
        .boxed()
    })
    .await?;
    let ids: Vec<_> = stored.iter().map(|uploaded| uploaded.photo.id.clone()).collect();
    let photos = by_ids(context.store.reader(), workspace_id, &ids).await?;
    // Read again to get the sequences. A photo that was deleted in the meantime is returned as it was stored.
    Ok(stored
        .into_iter()
        .map(
            |uploaded| match photos.iter().find(|photo| photo.id == uploaded.photo.id) {
                Some(photo) => Uploaded {
                    photo: photo.clone(),
                    ..uploaded
                },
                None => uploaded,
            },
        )
        .collect())
}

/// Records the photo that an upload ticket has stored. The record outlives the photo.
///
/// # Errors
/// REQUEST_ID_REUSED if the ticket has stored another photo.
async fn consume_link(
    tx: &Tx,
    workspace_id: &str,
    link: &str,
    parameters: &[(String, String)],
) -> Result<()> {
    match requests::check(tx, workspace_id, Some(link), LINK, parameters).await {
        Ok(None) => requests::remember(tx, workspace_id, Some(link), LINK, parameters, link).await,
        Ok(Some(_)) => Ok(()),
        Err(error) if error.reason() == Some(Reason::RequestIdReused) => Err(Error::rejected(
            Reason::RequestIdReused,
            "this upload URL has stored another photo; request a new one",
        )),
        Err(error) => Err(error),
    }
}

/// Processes pictures concurrently and sends the progress to watchers.
pub(crate) async fn prepare(
    context: &Context,
    workspace_id: &str,
    new: Vec<Arrived>,
    request_id: Option<&str>,
) -> Result<Prepared> {
    // Checked before the work to save it, and again in the writing transaction, because other calls may store photos in
    // between.
    let now = context.store.now().await?;
    limit::check(context.store.reader(), context, workspace_id, now, new.len()).await?;
    let violations: Vec<_> = new
        .iter()
        .enumerate()
        .filter_map(|(at, p)| check_name(&format!("photos[{at}].file_name"), &p.file_name))
        .collect();
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let report = |done: usize, file_name: &str| {
        let count = |n| i32::try_from(n).unwrap_or(i32::MAX);
        context.feed.tell(
            workspace_id,
            Ephemeral::Photos {
                request_id: request_id.unwrap_or_default().to_owned(),
                done: count(done),
                total: count(new.len()),
                file_name: file_name.to_owned(),
            },
        );
    };
    report(0, "");
    let room = work::room(new.len()).await;
    let limits = *context.photo_limits;
    let mut running: FuturesUnordered<_> = new
        .iter()
        .enumerate()
        .map(|(at, photo)| process_off_thread(photo.source.clone(), limits).map(move |result| (at, result)))
        .collect();
    let mut processed: Vec<Option<Processed>> = vec![None; new.len()];
    let mut done = 0;
    while let Some((at, result)) = running.next().await {
        let name = base_name(&new[at].file_name);
        processed[at] = Some(result.map_err(|error| photo_error(error, at, &name))?);
        done += 1;
        report(done, &name);
    }
    drop(running);
    let names = new.iter().map(|photo| base_name(&photo.file_name));
    let parameters = new
        .iter()
        .map(|photo| (photo.source.sha256(), photo.file_name.clone()))
        .collect();
    Ok(Prepared {
        photos: Arc::new(processed.into_iter().flatten().zip(names).collect()),
        _room: Arc::new(room),
        parameters,
    })
}

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
    let context = context.clone();
    let finished = tokio::spawn(async move {
        let result = work.await;
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
        .filter(photos::Column::WorkspaceId.eq(workspace_id))
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
        .filter(photos::Column::WorkspaceId.eq(workspace_id))
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
        .filter(photos::Column::WorkspaceId.eq(workspace_id))
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
        let distance = pipeline::likeness::distance(hash, other);
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
