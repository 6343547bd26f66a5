//! Signed uploads: a path to which one photo may be sent without a token.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::upload::{NewPhoto, Uploaded, check_name, upload_as};
use crate::clock::Millis;
use crate::identity::Caller;
use crate::keys::Purpose;
use crate::{Domain, Error, Reason, Result};

/// Where the server takes signed uploads.
const FOLDER: &str = "/media/upload/";

#[derive(Serialize, Deserialize)]
struct Claims {
    owner_id: String,
    file_name: String,
    size_bytes: Option<u64>,
    request_id: Option<String>,
    expire_time: Millis,
}

/// Where to send a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// A path of this server, for an HTTP PUT.
    pub path: String,
    pub expire_time: Millis,
    /// Of the file that is sent.
    pub max_bytes: u64,
}

/// Makes a path to which one photo can be sent. Nothing is stored: making another for the same `request_id` is no harm.
///
/// # Errors
/// All violations at once.
pub fn upload_ticket(
    domain: &Domain,
    caller: &Caller,
    file_name: &str,
    size_bytes: Option<u64>,
    request_id: Option<String>,
) -> Result<Ticket> {
    let mut violations: Vec<_> = check_name("file_name", file_name).into_iter().collect();
    let max_bytes = domain.photo_limits.max_bytes;
    if size_bytes.is_some_and(|size| size > max_bytes) {
        violations.push(crate::Violation::new(
            "size_bytes",
            format!("at most {max_bytes} bytes are accepted"),
        ));
    }
    if request_id
        .as_deref()
        .is_some_and(|id| uuid::Uuid::parse_str(id).is_err())
    {
        violations.push(crate::Violation::new("request_id", "must be a UUID"));
    }
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let expire_time = domain.clock.now() + domain.settings.signed_url_ms;
    let claims = Claims {
        owner_id: caller.owner_id.clone(),
        file_name: file_name.to_owned(),
        size_bytes,
        request_id,
        expire_time,
    };
    let signed = domain
        .keys
        .sign(Purpose::Upload, &serde_json::to_string(&claims)?);
    Ok(Ticket {
        path: format!("{FOLDER}{signed}"),
        expire_time,
        max_bytes,
    })
}

/// Stores what was sent to a ticket's path; `signed` is its last part. Sending the same bytes again is safe.
///
/// # Errors
/// UPLOAD_URL_INVALID, UPLOAD_URL_EXPIRED, a violation for another size than was announced, and as `upload`.
pub async fn redeem_ticket(domain: &Domain, signed: &str, bytes: Bytes) -> Result<Uploaded> {
    let claims = domain.keys.verify(Purpose::Upload, signed);
    let claims = claims
        .and_then(|text| serde_json::from_str::<Claims>(&text).ok())
        .ok_or_else(|| {
            Error::rejected(
                Reason::UploadUrlInvalid,
                "the upload URL was altered or is not of this server",
            )
        })?;
    if claims.expire_time <= domain.clock.now() {
        return Err(Error::rejected(
            Reason::UploadUrlExpired,
            "the upload URL has expired; ask for a new one",
        ));
    }
    if let Some(announced) = claims
        .size_bytes
        .filter(|announced| *announced != bytes.len() as u64)
    {
        let text = format!("{announced} bytes were announced and {} came", bytes.len());
        return Err(Error::invalid("size_bytes", text));
    }
    upload_as(
        domain,
        &claims.owner_id,
        NewPhoto {
            bytes,
            file_name: claims.file_name,
        },
        claims.request_id,
    )
    .await
}
