//! Upload tickets: signed paths to which one photo can be sent without a token.

use serde::{Deserialize, Serialize};

use super::names::check_name;
use super::pipeline::Source;
use super::upload::{Uploaded, upload_by_link};
use crate::clock::Millis;
use crate::identity::{self, Caller, LinkHolder};
use crate::keys::Purpose;
use crate::{Context, Error, Reason, Result};

/// The path under which the server accepts uploads with a ticket.
const FOLDER: &str = "/media/upload/";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    workspace_id: String,
    token_id: String,
    file_name: String,
    size_bytes: Option<u64>,
    request_id: Option<String>,
    /// The id under which the stored photo is recorded, so that the ticket stores no other photo.
    link_id: String,
    expire_time: Millis,
}

/// A signed path for an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The path on this server, for an HTTP PUT.
    pub path: String,
    pub expire_time: Millis,
    /// The maximum size of the file, in bytes.
    pub max_bytes: u64,
}

/// Creates a ticket for one photo. Nothing is stored, so a repeated call with the same `request_id` is safe.
///
/// # Errors
/// All violations at once.
pub fn upload_ticket(
    context: &Context,
    caller: &Caller,
    file_name: &str,
    size_bytes: Option<u64>,
    request_id: Option<String>,
) -> Result<Ticket> {
    let mut violations: Vec<_> = check_name("file_name", file_name).into_iter().collect();
    let max_bytes = context.photo_limits.max_bytes;
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
    let expire_time = caller.link_holder().expire_time(context);
    let claims = Claims {
        workspace_id: caller.workspace_id.clone(),
        token_id: caller.credential_id.clone(),
        file_name: file_name.to_owned(),
        size_bytes,
        request_id,
        link_id: context.ids.id(),
        expire_time,
    };
    let signed = context
        .keys
        .sign(Purpose::Upload, &serde_json::to_string(&claims)?);
    Ok(Ticket {
        path: format!("{FOLDER}{signed}"),
        expire_time,
        max_bytes,
    })
}

/// Verifies a ticket before the body is read. `signed` is the last part of its path. `announced` is the number of bytes
/// that the caller is going to send, if known.
///
/// # Errors
/// UPLOAD_URL_INVALID, also if its token has ended; UPLOAD_URL_EXPIRED; a violation of `size_bytes` if the size differs
/// from the ticket's.
pub async fn open_ticket(context: &Context, signed: &str, announced: Option<u64>) -> Result<OpenTicket> {
    let claims = context.keys.verify(Purpose::Upload, signed);
    let claims = claims
        .and_then(|text| serde_json::from_str::<Claims>(&text).ok())
        .ok_or_else(|| {
            Error::rejected(
                Reason::UploadUrlInvalid,
                "this server did not issue the upload URL, or the URL was altered",
            )
        })?;
    let ticket = OpenTicket(claims);
    ticket.require(context).await?;
    if let Some(bytes) = announced {
        ticket.check_size(bytes)?;
    }
    Ok(ticket)
}

/// A ticket that was valid when it was opened.
#[derive(Debug)]
pub struct OpenTicket(Claims);

impl OpenTicket {
    pub fn workspace_id(&self) -> &str {
        &self.0.workspace_id
    }

    /// Returns the holder for links to the photo.
    pub fn link_holder(&self) -> LinkHolder {
        LinkHolder {
            token_id: self.0.token_id.clone(),
            until: Some(self.0.expire_time),
        }
    }

    async fn require(&self, context: &Context) -> Result<()> {
        if self.0.expire_time <= context.clock.now() {
            return Err(Error::rejected(
                Reason::UploadUrlExpired,
                "the upload URL has expired; request a new one",
            ));
        }
        if !identity::are_links_live(context, &self.0.token_id).await? {
            return Err(Error::rejected(
                Reason::UploadUrlInvalid,
                "the API token of the upload URL was revoked or has expired; request a new URL with another token",
            ));
        }
        Ok(())
    }

    fn check_size(&self, bytes: u64) -> Result<()> {
        match self.0.size_bytes {
            Some(announced) if announced != bytes => {
                let text = format!("the upload URL is for {announced} bytes, but the upload has {bytes}");
                Err(Error::invalid("size_bytes", text))
            }
            _ => Ok(()),
        }
    }

    /// Stores the uploaded photo. Sending the same bytes again is safe. A ticket that has stored a photo stores no
    /// other.
    ///
    /// # Errors
    /// As [`open_ticket`], because the ticket is checked again; REQUEST_ID_REUSED if the ticket has stored another
    /// photo; and as `upload`.
    pub async fn redeem(self, context: &Context, picture: impl Into<Source>) -> Result<Uploaded> {
        self.require(context).await?;
        let source = picture.into();
        self.check_size(source.length())?;
        let claims = self.0;
        let link = (!crate::failpoints::disables("link")).then_some(claims.link_id);
        upload_by_link(
            context,
            &claims.workspace_id,
            source,
            claims.file_name,
            claims.request_id,
            link,
        )
        .await
    }
}
