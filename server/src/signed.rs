//! Addresses that a browser opens without a token, each for one thing and for a while: signed paths behind what the caller
//! reached us by. Those of files and uploads are the domain's; the one of a publish job's page is made here.

use serde::{Deserialize, Serialize};
use vintedbot_domain::clock::Millis;
use vintedbot_domain::identity::{self, LinkHolder};
use vintedbot_domain::keys::Purpose;
use vintedbot_domain::media::{self, Photo};
use vintedbot_domain::{Domain, Error, failpoints};

use crate::calls::Call;
use crate::errors::Problem;

/// Makes absolute addresses for the answer to one call.
pub struct Signer<'a> {
    domain: &'a Domain,
    call: &'a Call,
}

/// An address, and when it ceases to work.
#[derive(Debug)]
pub struct Address {
    pub url: String,
    pub expire_time: Millis,
}

/// What the address of a publish job's page stands for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Preview {
    pub owner_id: String,
    pub job_id: String,
    expire_time: Millis,
    token_id: String,
}

impl Preview {
    /// In whose name links on the page are made: they end with the page's own.
    pub fn holder(&self) -> LinkHolder {
        LinkHolder {
            token_id: self.token_id.clone(),
            until: Some(self.expire_time).filter(|_| !failpoints::disables("pages")),
        }
    }
}

impl<'a> Signer<'a> {
    pub fn new(domain: &'a Domain, call: &'a Call) -> Self {
        Self { domain, call }
    }

    /// Of a photo. None where its record names no file, which is logged.
    pub fn photo(&self, photo: &Photo) -> Option<Address> {
        self.address(media::photo_url(self.domain, &self.call.holder, photo))
    }

    /// Of a stored file.
    pub fn file(&self, key: &str, content_type: &str) -> Option<Address> {
        self.address(media::signed_path(
            self.domain,
            &self.call.holder,
            key,
            content_type,
        ))
    }

    /// Of a publish job's page.
    pub fn preview(&self, owner_id: &str, job_id: &str) -> Address {
        let expire_time = self.call.holder.expire_time(self.domain);
        let preview = Preview {
            owner_id: owner_id.to_owned(),
            job_id: job_id.to_owned(),
            expire_time,
            token_id: self.call.holder.token_id.clone(),
        };
        let json = serde_json::to_string(&preview).expect("texts and numbers always become JSON");
        let signed = self.domain.keys.sign(Purpose::Preview, &json);
        Address {
            url: self.absolute(&format!("/preview/{signed}")),
            expire_time,
        }
    }

    /// A path of this server, as the caller can reach it.
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
                tracing::error!(%error, "a stored file has no address");
                None
            }
        }
    }
}

/// What the signed part of a preview's address stands for.
///
/// # Errors
/// NOT_FOUND for one that is not ours, has expired, or whose token has ended.
pub async fn open_preview(domain: &Domain, signed: &str) -> Result<Preview, Problem> {
    let preview = domain.keys.verify(Purpose::Preview, signed);
    let preview = preview.and_then(|json| serde_json::from_str::<Preview>(&json).ok());
    let preview = preview.filter(|preview| preview.expire_time > domain.clock.now());
    let preview = preview.ok_or_else(|| Error::not_found("page", ""))?;
    if !identity::are_links_live(domain, &preview.token_id).await? {
        return Err(Error::not_found("page", "").into());
    }
    Ok(preview)
}
