//! Signed uploads: a path to which one photo may be sent without a token.

use serde::{Deserialize, Serialize};

use super::names::check_name;
use super::pipeline::Source;
use super::upload::{Uploaded, upload_by_link};
use crate::clock::Millis;
use crate::identity::{self, Caller, LinkHolder};
use crate::keys::Purpose;
use crate::{Domain, Error, Reason, Result};

/// Where the server takes signed uploads.
const FOLDER: &str = "/media/upload/";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    owner_id: String,
    token_id: String,
    file_name: String,
    size_bytes: Option<u64>,
    request_id: Option<String>,
    /// Remembered with the photo that is stored, so that no other one is.
    link_id: String,
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
    let expire_time = caller.link_holder().expire_time(domain);
    let claims = Claims {
        owner_id: caller.owner_id.clone(),
        token_id: caller.token_id.clone(),
        file_name: file_name.to_owned(),
        size_bytes,
        request_id,
        link_id: domain.ids.id(),
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

/// Opens what a ticket's path stands for, of which `signed` is the last part, before anything is read for it. `announced` is
/// how many bytes the caller means to send, where that is known.
///
/// # Errors
/// UPLOAD_URL_INVALID, also where its token has ended; UPLOAD_URL_EXPIRED; a violation for another size than the ticket was
/// made for.
pub async fn open_ticket(domain: &Domain, signed: &str, announced: Option<u64>) -> Result<OpenTicket> {
    let claims = domain.keys.verify(Purpose::Upload, signed);
    let claims = claims
        .and_then(|text| serde_json::from_str::<Claims>(&text).ok())
        .ok_or_else(|| {
            Error::rejected(
                Reason::UploadUrlInvalid,
                "the upload URL was altered or is not of this server",
            )
        })?;
    let ticket = OpenTicket(claims);
    ticket.require(domain).await?;
    if let Some(bytes) = announced {
        ticket.check_size(bytes)?;
    }
    Ok(ticket)
}

/// A ticket that was good when it was opened.
#[derive(Debug)]
pub struct OpenTicket(Claims);

impl OpenTicket {
    pub fn owner_id(&self) -> &str {
        &self.0.owner_id
    }

    /// In whose name links to the photo are made.
    pub fn link_holder(&self) -> LinkHolder {
        LinkHolder {
            token_id: self.0.token_id.clone(),
            until: Some(self.0.expire_time),
        }
    }

    async fn require(&self, domain: &Domain) -> Result<()> {
        if self.0.expire_time <= domain.clock.now() {
            return Err(Error::rejected(
                Reason::UploadUrlExpired,
                "the upload URL has expired; ask for a new one",
            ));
        }
        if !identity::are_links_live(domain, &self.0.token_id).await? {
            return Err(Error::rejected(
                Reason::UploadUrlInvalid,
                "the API token that the upload URL was made with was revoked or has expired; make a new one",
            ));
        }
        Ok(())
    }

    fn check_size(&self, bytes: u64) -> Result<()> {
        match self.0.size_bytes {
            Some(announced) if announced != bytes => {
                let text = format!("{announced} bytes were announced and {bytes} came");
                Err(Error::invalid("size_bytes", text))
            }
            _ => Ok(()),
        }
    }

    /// Stores what was sent to the ticket's path. Sending the same bytes again is safe; a ticket that has stored a photo
    /// stores no other.
    ///
    /// # Errors
    /// As [`open_ticket`], once more; REQUEST_ID_REUSED for other bytes than those that were stored; and as `upload`.
    pub async fn redeem(self, domain: &Domain, picture: impl Into<Source>) -> Result<Uploaded> {
        self.require(domain).await?;
        let source = picture.into();
        self.check_size(source.length())?;
        let claims = self.0;
        let link = (!crate::failpoints::disables("link")).then_some(claims.link_id);
        upload_by_link(
            domain,
            &claims.owner_id,
            source,
            claims.file_name,
            claims.request_id,
            link,
        )
        .await
    }
}
