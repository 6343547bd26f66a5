//! Fetching an item's photos from the site and keeping copies of them, and taking photos from the store to send them there.

use vintedbot_domain::media::files::photo_key;
use vintedbot_domain::media::{self, NewPhoto};
use vintedbot_domain::{Error, Reason, Result};
use vintedbot_marketplace::{OwnItem, PhotoFile, Seat};

use crate::Worker;

/// The photos with these SHA-256, as they are sent to the site.
pub async fn files(worker: &Worker, sha256s: &[String]) -> Result<Vec<PhotoFile>> {
    let mut photos = Vec::with_capacity(sha256s.len());
    for sha256 in sha256s {
        photos.push(PhotoFile {
            sha256: sha256.clone(),
            content_type: "image/jpeg".to_owned(),
            bytes: worker.domain.files.get(&photo_key(sha256)?).await?,
        });
    }
    Ok(photos)
}

/// Our copies of an item's photos.
#[derive(Debug, Default)]
pub struct Fetched {
    /// In the item's order; one that shows the same as another is there once.
    pub photo_ids: Vec<String>,
    /// What went wrong with single photos.
    pub problems: Vec<String>,
}

impl Fetched {
    /// The copies, where all could be made.
    pub fn all(self) -> Option<Vec<String>> {
        self.problems.is_empty().then_some(self.photo_ids)
    }
}

/// Fetches what can be fetched. What goes wrong with single photos is told, and stops nothing; a full disk does.
pub async fn fetch(worker: &Worker, seat: &Seat, owner_id: &str, item: &OwnItem) -> Result<Fetched> {
    let domain = &worker.domain;
    let max_bytes = usize::try_from(domain.photo_limits.max_bytes).unwrap_or(usize::MAX);
    let mut fetched = Fetched::default();
    for photo in &item.photos {
        let Some(url) = &photo.url else {
            fetched
                .problems
                .push(format!("photo {} has no address", photo.id));
            continue;
        };
        let bytes = match worker.marketplace.photo(seat, url, max_bytes).await {
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
        match media::store(domain, owner_id, new).await {
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
