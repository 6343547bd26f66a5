//! Signed paths: whoever holds one may fetch that one file until it expires, without a token.

use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::{Photo, file_error, files};
use crate::clock::Millis;
use crate::identity::{self, LinkHolder};
use crate::keys::Purpose;
use crate::{Domain, Error, Result};

/// Where the server answers to signed paths.
const FOLDER: &str = "/media/";

#[derive(Serialize, Deserialize)]
struct Claims {
    key: String,
    content_type: String,
    expire_time: Millis,
    token_id: String,
}

/// A file that a signed path led to.
pub struct MediaFile {
    pub content_type: String,
    pub size_bytes: u64,
    /// When the path ceases to work; what a cache may keep it for.
    pub expire_time: Millis,
    pub content: BoxStream<'static, std::result::Result<Bytes, files::Error>>,
}

/// A path of this server under which a stored file can be fetched, and when it ceases to work.
pub fn signed_path(
    domain: &Domain,
    holder: &LinkHolder,
    storage_key: &str,
    content_type: &str,
) -> Result<(String, Millis)> {
    let expire_time = holder.expire_time(domain);
    let claims = Claims {
        key: storage_key.to_owned(),
        content_type: content_type.to_owned(),
        expire_time,
        token_id: holder.token_id.clone(),
    };
    let signed = domain.keys.sign(Purpose::Media, &serde_json::to_string(&claims)?);
    Ok((format!("{FOLDER}{signed}"), expire_time))
}

/// A path of this server under which a photo can be fetched, and when it ceases to work.
pub fn photo_url(domain: &Domain, holder: &LinkHolder, photo: &Photo) -> Result<(String, Millis)> {
    signed_path(
        domain,
        holder,
        &files::photo_key(&photo.sha256)?,
        &photo.content_type,
    )
}

/// Opens the file that the signed part of a path names.
///
/// # Errors
/// NOT_FOUND for a path that is not ours, has expired, whose token has ended, or whose file is gone.
pub async fn open_signed(domain: &Domain, signed: &str) -> Result<MediaFile> {
    let not_found = || Error::not_found("file", "");
    let claims = domain.keys.verify(Purpose::Media, signed);
    let claims = claims
        .and_then(|text| serde_json::from_str::<Claims>(&text).ok())
        .ok_or_else(not_found)?;
    let is_over = claims.expire_time <= domain.clock.now();
    if is_over || !identity::are_links_live(domain, &claims.token_id).await? {
        return Err(not_found());
    }
    match domain.files.stream(&claims.key).await {
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
