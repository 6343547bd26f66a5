//! Storing photos: processed first, then their files, then their rows. Whatever fails, nothing is half stored.

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
use super::removal::{hold, remove_unused};
use super::{NearDuplicate, Photo, Spooled, by_ids, file_error, files, limit, mark_used};
use crate::events::{Ephemeral, Kind, PendingEvent};
use crate::identity::Caller;
use crate::store::Tx;
use crate::store::entities::photos;
use crate::{Domain, Error, Reason, Result, requests};

/// How many near-duplicates are told: who needs more needs to look at the photos.
const NEAR_DUPLICATES_MAX: usize = 20;
/// What uses of a link are remembered under, beside the methods of the contract.
const LINK: &str = "PUT /media/upload";
/// How often, and after which pause, a file is put again that is being removed at that moment.
const TRIES: usize = 25;
const PAUSE: Duration = Duration::from_millis(200);

/// A picture as it came.
#[derive(Clone, Debug)]
pub struct NewPhoto {
    pub bytes: Bytes,
    /// May have folders, which are dropped; empty for none.
    pub file_name: String,
}

/// A picture that waits in the spool.
#[derive(Clone, Debug)]
pub struct SpooledPhoto {
    pub picture: Spooled,
    /// As of [`NewPhoto`].
    pub file_name: String,
}

/// Either of them.
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
    /// The same content was stored before; the photo is that one.
    pub existing: bool,
}

/// Processed photos, ready to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    photos: Arc<Vec<(Processed, String)>>,
    _room: Arc<Room>,
    /// Identifies the pictures as they came, for idempotency.
    pub parameters: Vec<(String, String)>,
}

/// Stores one photo.
///
/// # Errors
/// The reasons that begin with PHOTO, STORAGE_FULL, violations.
pub async fn upload(
    domain: &Domain,
    caller: &Caller,
    new: NewPhoto,
    request_id: Option<String>,
) -> Result<Uploaded> {
    upload_as(domain, &caller.owner_id, new, request_id).await
}

/// Stores a photo that we have fetched for an owner, who needs it for what it was fetched for.
///
/// # Errors
/// As [`upload`].
pub async fn store(domain: &Domain, owner_id: &str, new: NewPhoto) -> Result<Uploaded> {
    let uploaded = upload_as(domain, owner_id, new, None).await?;
    let id = uploaded.photo.id.clone();
    domain
        .store
        .write(move |tx| {
            let id = id.clone();
            async move { mark_used(tx, &[id]).await }.boxed()
        })
        .await?;
    Ok(uploaded)
}

async fn upload_as(
    domain: &Domain,
    owner_id: &str,
    new: NewPhoto,
    request_id: Option<String>,
) -> Result<Uploaded> {
    only(
        run(
            domain,
            owner_id,
            vec![new.into()],
            request_id,
            None,
            "UploadPhoto",
        )
        .await?,
    )
}

/// Stores the one photo that a link may store.
pub(super) async fn upload_by_link(
    domain: &Domain,
    owner_id: &str,
    source: Source,
    file_name: String,
    request_id: Option<String>,
    link: Option<String>,
) -> Result<Uploaded> {
    let new = vec![Arrived { source, file_name }];
    only(run(domain, owner_id, new, request_id, link, "UploadPhoto").await?)
}

fn only(mut uploaded: Vec<Uploaded>) -> Result<Uploaded> {
    uploaded
        .pop()
        .ok_or_else(|| Error::Internal("no photo came of one".to_owned()))
}

/// Stores several photos: all of them or, on any error, none. Progress is told to whoever watches, under `request_id`.
///
/// # Errors
/// As [`upload`].
pub async fn upload_many(
    domain: &Domain,
    caller: &Caller,
    new: Vec<impl Into<Arrived>>,
    request_id: Option<String>,
) -> Result<Vec<Uploaded>> {
    if new.is_empty() {
        return Err(Error::invalid("photos", "at least one is needed"));
    }
    let new = new.into_iter().map(Into::into).collect();
    run(domain, &caller.owner_id, new, request_id, None, "UploadPhotos").await
}

async fn run(
    domain: &Domain,
    owner_id: &str,
    new: Vec<Arrived>,
    request_id: Option<String>,
    link: Option<String>,
    method: &'static str,
) -> Result<Vec<Uploaded>> {
    let prepared = prepare(domain, owner_id, new, request_id.as_deref()).await?;
    let parameters = prepared.parameters.clone();
    let owner = owner_id.to_owned();
    // The same content is the same photo, so that a repeated call is answered by simply doing it again.
    let stored = store_all(domain, owner_id, prepared, move |tx, uploaded| {
        let (owner, request_id, parameters) = (owner.clone(), request_id.clone(), parameters.clone());
        let link = link.clone();
        async move {
            let request_id = request_id.as_deref();
            if let Some(link) = link.as_deref() {
                use_up(tx, &owner, link, &parameters).await?;
            }
            if requests::check(tx, &owner, request_id, method, &parameters)
                .await?
                .is_none()
                && let Some(first) = uploaded.first()
            {
                requests::remember(tx, &owner, request_id, method, &parameters, &first.photo.id).await?;
            }
            Ok(uploaded)
        }
        .boxed()
    })
    .await?;
    let ids: Vec<_> = stored.iter().map(|uploaded| uploaded.photo.id.clone()).collect();
    let photos = by_ids(domain.store.reader(), owner_id, &ids).await?;
    // Read again for their place in the log; one that was deleted at once stays as it was.
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

/// Remembers which photo a link has stored, also when that photo is deleted.
///
/// # Errors
/// REQUEST_ID_REUSED where it has stored another.
async fn use_up(tx: &Tx, owner_id: &str, link: &str, parameters: &[(String, String)]) -> Result<()> {
    match requests::check(tx, owner_id, Some(link), LINK, parameters).await {
        Ok(None) => requests::remember(tx, owner_id, Some(link), LINK, parameters, link).await,
        Ok(Some(_)) => Ok(()),
        Err(error) if error.reason() == Some(Reason::RequestIdReused) => Err(Error::rejected(
            Reason::RequestIdReused,
            "this upload URL has stored another photo; ask for a new one",
        )),
        Err(error) => Err(error),
    }
}

/// Processes pictures, several at once, and tells how far it is.
pub(crate) async fn prepare(
    domain: &Domain,
    owner_id: &str,
    new: Vec<Arrived>,
    request_id: Option<&str>,
) -> Result<Prepared> {
    // Before the work; and once more where it counts, since others may store photos meanwhile.
    let now = domain.store.now().await?;
    limit::check(domain.store.reader(), domain, owner_id, now, new.len()).await?;
    let violations: Vec<_> = new
        .iter()
        .enumerate()
        .filter_map(|(at, p)| check_name(&format!("photos[{at}].file_name"), &p.file_name))
        .collect();
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let tell = |done: usize, file_name: &str| {
        let count = |n| i32::try_from(n).unwrap_or(i32::MAX);
        domain.feed.tell(
            owner_id,
            Ephemeral::Photos {
                request_id: request_id.unwrap_or_default().to_owned(),
                done: count(done),
                total: count(new.len()),
                file_name: file_name.to_owned(),
            },
        );
    };
    tell(0, "");
    let room = work::room(new.len()).await;
    let limits = *domain.photo_limits;
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
        tell(done, &name);
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

/// Puts the files, then, in one transaction, writes the rows and does `then`. Where that fails, files that nobody else
/// names are removed again.
pub(crate) async fn store_all<T, F>(domain: &Domain, owner_id: &str, prepared: Prepared, then: F) -> Result<T>
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
        let (domain, owner_id) = (domain.clone(), owner_id.to_owned());
        async move {
            let then = Arc::new(then);
            for _ in 1..TRIES {
                match put_and_write(&domain, &owner_id, prepared.clone(), Arc::clone(&then)).await {
                    Err(Error::Files(files::Error::Going { .. })) => tokio::time::sleep(PAUSE).await,
                    stored => return stored,
                }
            }
            put_and_write(&domain, &owner_id, prepared, then).await
        }
    };
    // In a task of its own: a caller that goes away must not leave a file without its row or its removal.
    let domain = domain.clone();
    let finished = tokio::spawn(async move {
        let result = work.await;
        if result.is_err()
            && let Err(error) = remove_unused(&domain, &sha256s).await
        {
            tracing::warn!(%error, "files of photos that were not stored could not be removed");
        }
        result
    });
    finished
        .await
        .map_err(|error| Error::Internal(format!("storing photos ended: {error}")))?
}

async fn put_and_write<T, F>(domain: &Domain, owner_id: &str, prepared: Prepared, then: Arc<F>) -> Result<T>
where
    T: Send + 'static,
    F: for<'t> Fn(&'t Tx, Vec<Uploaded>) -> futures::future::BoxFuture<'t, Result<T>> + Send + Sync + 'static,
{
    for (processed, _) in prepared.photos.iter() {
        domain
            .files
            .put_photo(&processed.sha256, processed.bytes.clone())
            .await
            .map_err(file_error)?;
    }
    let others = hashes_of(domain, owner_id).await?;
    let (inner, owner_id) = (domain.clone(), owner_id.to_owned());
    domain
        .store
        .write(move |tx| {
            let (domain, owner_id, prepared, others, then) = (
                inner.clone(),
                owner_id.clone(),
                prepared.clone(),
                Arc::clone(&others),
                Arc::clone(&then),
            );
            async move {
                limit::one_at_a_time(tx, &owner_id).await?;
                let new = count_new(tx, &owner_id, &prepared).await?;
                limit::check(tx, &domain, &owner_id, tx.now().await?, new).await?;
                let mut uploaded: Vec<Uploaded> = Vec::with_capacity(prepared.photos.len());
                for (processed, file_name) in prepared.photos.iter() {
                    uploaded.push(write_row(tx, &owner_id, processed, file_name, &others, &uploaded).await?);
                }
                then(tx, uploaded).await
            }
            .boxed()
        })
        .await
}

/// How many of these photos the owner does not have yet.
async fn count_new(tx: &Tx, owner_id: &str, prepared: &Prepared) -> Result<usize> {
    let wanted: HashSet<_> = prepared
        .photos
        .iter()
        .map(|(photo, _)| photo.sha256.as_str())
        .collect();
    let known = photos::Entity::find()
        .filter(photos::Column::OwnerId.eq(owner_id))
        .filter(photos::Column::Sha256.is_in(wanted.iter().copied()))
        .count(tx)
        .await?;
    Ok(wanted
        .len()
        .saturating_sub(usize::try_from(known).unwrap_or(usize::MAX)))
}

type Hashes = HashIndex<String>;

async fn hashes_of(domain: &Domain, owner_id: &str) -> Result<Arc<Hashes>> {
    let rows: Vec<(String, i64)> = photos::Entity::find()
        .select_only()
        .columns([photos::Column::Id, photos::Column::PerceptualHash])
        .filter(photos::Column::OwnerId.eq(owner_id))
        .into_tuple()
        .all(domain.store.reader())
        .await?;
    let pairs = rows.into_iter().map(|(id, hash)| (hash.cast_unsigned(), id));
    Ok(Arc::new(pairs.collect()))
}

async fn write_row(
    tx: &Tx,
    owner_id: &str,
    processed: &Processed,
    file_name: &str,
    others: &Hashes,
    before: &[Uploaded],
) -> Result<Uploaded> {
    if !hold(tx, &processed.sha256).await? {
        return Err(files::Error::Going {
            sha256: processed.sha256.clone(),
        }
        .into());
    }
    let same = photos::Entity::find()
        .filter(photos::Column::OwnerId.eq(owner_id))
        .filter(photos::Column::Sha256.eq(processed.sha256.as_str()));
    if let Some(row) = same.clone().one(tx).await? {
        // Who sends it once more means to use it, however long ago it came first.
        mark_used(tx, std::slice::from_ref(&row.id)).await?;
        return Ok(Uploaded {
            photo: row.into(),
            existing: true,
        });
    }
    let id = tx.id();
    let row = photos::Model {
        id: id.clone(),
        owner_id: owner_id.to_owned(),
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
            OnConflict::columns([photos::Column::OwnerId, photos::Column::Sha256])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    if inserted == 0 {
        // Somebody stored the same content at this moment; waiting for them has made their row visible.
        let row = same.one(tx).await?;
        let row =
            row.ok_or_else(|| Error::Internal("a photo is neither there nor can it be made".to_owned()))?;
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

/// What looks much the same among the owner's photos and those that came before in the same call.
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
