//! Copies an item's photos from the site into the store, and loads photos from the store to send them to the site.

use vintedbot_domain::media::files::photo_key;
use vintedbot_domain::media::{self, NewPhoto};
use vintedbot_domain::{Error, Reason, Result};
use vintedbot_marketplace::{AccountContext, OwnItem, PhotoFile};

use crate::Worker;

/// Loads the photos with these SHA-256 hashes, as they are sent to the site.
pub async fn files(worker: &Worker, sha256s: &[String]) -> Result<Vec<PhotoFile>> {
    let mut photos = Vec::with_capacity(sha256s.len());
    for sha256 in sha256s {
        photos.push(PhotoFile {
            sha256: sha256.clone(),
            content_type: "image/jpeg".to_owned(),
            bytes: worker.context.files.get(&photo_key(sha256)?).await?,
        });
    }
    Ok(photos)
}

/// The stored copies of an item's photos.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The copies in the item's order, without duplicates.
    pub photo_ids: Vec<String>,
    /// The problems of single photos.
    pub problems: Vec<String>,
}

impl Fetched {
    /// Returns the copies, if there were no problems.
    pub fn all(self) -> Option<Vec<String>> {
        self.problems.is_empty().then_some(self.photo_ids)
    }
}

/// Fetches an item's photos. A failure of one photo is returned as a problem; a full disk fails the whole call.
pub async fn fetch(
    worker: &Worker,
    account_context: &AccountContext,
    workspace_id: &str,
    item: &OwnItem,
) -> Result<Fetched> {
    let context = &worker.context;
    let max_bytes = usize::try_from(context.photo_limits.max_bytes).unwrap_or(usize::MAX);
    let mut fetched = Fetched::default();
    for photo in &item.photos {
        let Some(url) = &photo.url else {
            fetched.problems.push(format!("photo {} has no URL", photo.id));
            continue;
        };
        let bytes = match worker.marketplace.photo(account_context, url, max_bytes).await {
            Ok(bytes) => bytes,
            Err(error) => {
                fetched.problems.push(format!("photo {}: {error}", photo.id));
                continue;
            }
        };
        let new = NewPhoto {
            bytes,
            file_name: format!("{}.jpg", photo.id),
        };
        match media::store(context, workspace_id, new).await {
            Ok(stored) if fetched.photo_ids.contains(&stored.photo.id) => {}
            Ok(stored) => fetched.photo_ids.push(stored.photo.id),
            Err(Error::Rejected(rejection)) if rejection.reason != Reason::StorageFull => {
                fetched
                    .problems
                    .push(format!("photo {}: {}", photo.id, rejection.message));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(fetched)
}
