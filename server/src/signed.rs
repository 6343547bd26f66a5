//! Signed URLs, which a browser opens without a token. Each grants access to one thing until it expires. The domain
//! signs the URLs of files and uploads; this module signs the URL of a publish job's preview page.

use serde::{Deserialize, Serialize};
use vintedbot_domain::clock::Millis;
use vintedbot_domain::identity::{self, LinkHolder};
use vintedbot_domain::keys::Purpose;
use vintedbot_domain::media::{self, Photo};
use vintedbot_domain::{Context, Error, failpoints};

use crate::calls::Call;
use crate::errors::Problem;

/// Creates absolute URLs for the response to one call.
pub struct Signer<'a> {
    context: &'a Context,
    call: &'a Call,
}

/// A URL and its expiry.
#[derive(Debug)]
pub struct Address {
    pub url: String,
    pub expire_time: Millis,
}

/// The signed content of a preview page's URL.
#[derive(Debug, Serialize, Deserialize)]
pub struct Preview {
    pub workspace_id: String,
    pub job_id: String,
    expire_time: Millis,
    token_id: String,
}

impl Preview {
    /// Returns the holder of links on the page. They expire together with the page's URL.
    pub fn holder(&self) -> LinkHolder {
        LinkHolder {
            token_id: self.token_id.clone(),
            until: Some(self.expire_time).filter(|_| !failpoints::disables("pages")),
        }
    }
}

impl<'a> Signer<'a> {
    pub fn new(context: &'a Context, call: &'a Call) -> Self {
        Self { context, call }
    }

    /// Returns the URL of a photo. `None` if its record names no file, which is logged.
    pub fn photo(&self, photo: &Photo) -> Option<Address> {
        self.address(media::photo_url(self.context, &self.call.holder, photo))
    }

    /// Returns the URL of a stored file.
    pub fn file(&self, key: &str, content_type: &str) -> Option<Address> {
        self.address(media::signed_path(
            self.context,
            &self.call.holder,
            key,
            content_type,
        ))
    }

    /// Returns the URL of a publish job's preview page.
    pub fn preview(&self, workspace_id: &str, job_id: &str) -> Address {
        let expire_time = self.call.holder.expire_time(self.context);
        let preview = Preview {
            workspace_id: workspace_id.to_owned(),
            job_id: job_id.to_owned(),
            expire_time,
            token_id: self.call.holder.token_id.clone(),
        };
        let json = serde_json::to_string(&preview).expect("strings and numbers always serialize to JSON");
        let signed = self.context.keys.sign(Purpose::Preview, &json);
        Address {
            url: self.absolute(&format!("/preview/{signed}")),
            expire_time,
        }
    }

    /// Returns the absolute URL of a path on this server, as the caller reaches it.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.call.base_url)
    }

    fn address(&self, signed: Result<(String, Millis), Error>) -> Option<Address> {
        match signed {
            Ok((path, expire_time)) => Some(Address {
                url: self.absolute(&path),
                expire_time,
            }),
            Err(error) => {
                tracing::error!(%error, "a URL for a stored file could not be created");
                None
            }
        }
    }
}

/// Verifies the signed part of a preview page's URL.
///
/// # Errors
/// NOT_FOUND if the signature is invalid, the URL has expired, or its token has ended.
pub async fn open_preview(context: &Context, signed: &str) -> Result<Preview, Problem> {
    let preview = context.keys.verify(Purpose::Preview, signed);
    let preview = preview.and_then(|json| serde_json::from_str::<Preview>(&json).ok());
    let preview = preview.filter(|preview| preview.expire_time > context.clock.now());
    let preview = preview.ok_or_else(|| Error::not_found("page", ""))?;
    if !identity::are_links_live(context, &preview.token_id).await? {
        return Err(Error::not_found("page", "").into());
    }
    Ok(preview)
}
