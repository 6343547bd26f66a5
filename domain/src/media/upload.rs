//! Uploads photos: processes the pictures, stores the files, then writes the rows. After an error, neither rows nor
//! files remain.

mod prepared;
mod write;

use bytes::Bytes;
use futures::FutureExt;

pub(crate) use self::prepared::prepare;
pub(crate) use self::write::store_all;
use super::pipeline::Source;
use super::{Photo, Spooled, by_ids, mark_used};
use crate::identity::Caller;
use crate::store::Tx;
use crate::{Context, Error, Reason, Result, requests};

/// The method name under which the use of an upload ticket is recorded, next to the methods of the contract.
const LINK: &str = "PUT /media/upload";

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
