//! Signed paths, which give access to one file without a token until they expire.

use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::{Photo, file_error, files};
use crate::clock::Millis;
use crate::identity::{self, LinkHolder};
use crate::keys::Purpose;
use crate::{Context, Error, Result};

/// The path under which the server serves signed paths.
const FOLDER: &str = "/media/";

#[derive(Serialize, Deserialize)]
struct Claims {
    key: String,
    content_type: String,
    expire_time: Millis,
    token_id: String,
}

/// The file of a signed path.
pub struct MediaFile {
    pub content_type: String,
    pub size_bytes: u64,
    /// The expiry of the path, which also limits how long a cache may store the file.
    pub expire_time: Millis,
    pub content: BoxStream<'static, std::result::Result<Bytes, files::Error>>,
}

/// Signs a path to a stored file. Returns the path and its expiry.
pub fn signed_path(
    context: &Context,
    holder: &LinkHolder,
    storage_key: &str,
    content_type: &str,
) -> Result<(String, Millis)> {
    let expire_time = holder.file_expire_time(context);
    let claims = Claims {
        key: storage_key.to_owned(),
        content_type: content_type.to_owned(),
        expire_time,
        token_id: holder.token_id.clone(),
    };
    let signed = context
        .keys
        .sign(Purpose::Media, &serde_json::to_string(&claims)?);
    Ok((format!("{FOLDER}{signed}"), expire_time))
}

/// Signs a path to the file of a photo. Returns the path and its expiry.
pub fn photo_url(context: &Context, holder: &LinkHolder, photo: &Photo) -> Result<(String, Millis)> {
    signed_path(
        context,
        holder,
        &files::photo_key(&photo.sha256)?,
        &photo.content_type,
    )
}

/// Opens the file of a signed path; `signed` is the part after `/media/`.
///
/// # Errors
/// NOT_FOUND if this server did not sign the path, the path has expired, its token has ended, or the file is missing.
pub async fn open_signed(context: &Context, signed: &str) -> Result<MediaFile> {
    let not_found = || Error::not_found("file", "");
    let claims = context.keys.verify(Purpose::Media, signed);
    let claims = claims
        .and_then(|text| serde_json::from_str::<Claims>(&text).ok())
        .ok_or_else(not_found)?;
    let is_over = claims.expire_time <= context.clock.now();
    if is_over || !identity::are_links_live(context, &claims.token_id).await? {
        return Err(not_found());
    }
    match context.files.stream(&claims.key).await {
        Ok((size_bytes, content)) => Ok(MediaFile {
            content_type: claims.content_type,
            size_bytes,
            expire_time: claims.expire_time,
            content,
        }),
        Err(files::Error::NotFound { .. }) => Err(not_found()),
        Err(other) => Err(file_error(other)),
    }
}
