//! Uploads photos one at a time, in their order, waiting for each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{Error, Field, PhotoFile};

use super::failure::{failed, is_missing};
use super::find::{Alert, Target};
use super::page::{COMES_WITHIN, LOOK_EVERY, Page, within};
use super::traffic::Exchange;
use super::{broken, remote};

/// The time limit for the upload of one photo.
const PHOTO_COMES_WITHIN: Duration = Duration::from_secs(60);
/// How long a photo may take to appear after the site has answered its upload.
const SHOWS_WITHIN: Duration = Duration::from_secs(8);
/// How long the page may take to begin an upload. If the page replaces the input before that, the choice is lost.
const BEGINS_WITHIN: Duration = Duration::from_secs(3);
const TRIES: usize = 4;
/// How long the page must make no calls after the uploads. The site analyses the photos after them and may change the
/// form.
const SETTLED_AFTER: Duration = Duration::from_millis(400);
const SETTLES_WITHIN: Duration = Duration::from_secs(8);

impl Page {
    /// Uploads the photos after the existing ones.
    pub(crate) async fn fill_photos(&self, folder: &Path, photos: &[PhotoFile]) -> Result<(), Error> {
        tokio::fs::create_dir_all(folder).await.map_err(broken)?;
        let there = self.all(Key::PhotosReady).await?.len();
        for (at, photo) in photos.iter().enumerate() {
            let kind = photo
                .content_type
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .replace("jpeg", "jpg");
            let path: PathBuf = folder.join(format!("{:02}.{kind}", at + 1));
            let path = if self.is_elsewhere {
                remote::upload_file(&self.driver, &path, &photo.bytes).await?
            } else {
                tokio::fs::write(&path, &photo.bytes).await.map_err(broken)?;
                path
            };
            self.uncover().await?;
            self.send_photo(&path, there + at + 1).await?;
        }
        if !photos.is_empty() {
            self.traffic.quiet(SETTLED_AFTER, SETTLES_WITHIN).await;
            self.uncover().await?;
        }
        Ok(())
    }

    /// Removes all photos.
    pub(crate) async fn remove_photos(&self) -> Result<(), Error> {
        let first = Target::new(Key::PhotoDelete, "0");
        loop {
            let before = self.all(Key::PhotosReady).await?.len();
            if before == 0 {
                return Ok(());
            }
            if !self.press(first, COMES_WITHIN).await? {
                return Err(self.not_found(Field::Photos.name()).await);
            }
            let gone = within!(COMES_WITHIN, {
                let now = self.all(Key::PhotosReady).await?.len();
                Ok((now < before).then_some(()))
            });
            if gone?.is_none() {
                return Err(self.mismatch(Field::Photos, "0", &before.to_string()).await);
            }
        }
    }

    /// Uploads one photo and waits until `expected` photos are shown.
    async fn send_photo(&self, path: &Path, expected: usize) -> Result<(), Error> {
        let before = self.alerts().await?;
        let mark = self.traffic.mark();
        self.choose_file(path, mark, &before).await?;
        let mut since_answer = Duration::ZERO;
        let ready = within!(PHOTO_COMES_WITHIN, {
            let ready = self.all(Key::PhotosReady).await?.len();
            // A refused photo never becomes ready; a validation message appears instead.
            let is_over = ready >= expected || !self.photo_refusals(&before).await?.is_empty();
            if self.uploads(mark).iter().any(|upload| upload.complete) {
                since_answer += LOOK_EVERY;
            }
            Ok((is_over || since_answer >= SHOWS_WITHIN).then_some(()))
        });
        ready?;
        self.look().await?;
        let refused = self.photo_refusals(&before).await?;
        if !refused.is_empty() {
            return Err(self.refused(refused, mark).await);
        }
        let ready = self.all(Key::PhotosReady).await?.len();
        if ready == expected {
            return Ok(());
        }
        Err(self
            .mismatch(Field::Photos, &expected.to_string(), &ready.to_string())
            .await)
    }

    /// Gives the page one file. Tries again only if the page provably has not taken it.
    async fn choose_file(&self, path: &Path, mark: usize, before: &[Alert]) -> Result<(), Error> {
        for _ in 0..TRIES {
            let input = within!(COMES_WITHIN, self.find(Key::PhotoInput).await)?;
            let Some(input) = input else {
                return Err(self.not_found(Field::Photos.name()).await);
            };
            match input.send_keys(path.display().to_string()).await {
                Err(error) if is_missing(&error) => continue,
                chosen => chosen.map_err(failed)?,
            }
            let begun = within!(BEGINS_WITHIN, {
                let is_begun =
                    !self.uploads(mark).is_empty() || !self.photo_refusals(before).await?.is_empty();
                Ok(is_begun.then_some(()))
            });
            if begun?.is_some() {
                return Ok(());
            }
            self.uncover().await?;
        }
        Err(self.not_found(Field::Photos.name()).await)
    }

    /// Returns the uploads since a mark: the page's POST requests to its site, except those of the form's own queries.
    fn uploads(&self, mark: usize) -> Vec<Exchange> {
        let all = self.traffic.since(mark).unwrap_or_default();
        let is_upload = |exchange: &Exchange| {
            exchange.method == "POST"
                && !exchange.url.contains("/item_upload/")
                && exchange.url.contains("/api/")
        };
        all.into_iter().filter(is_upload).collect()
    }

    /// Returns the messages that have appeared since `before`, except those about another field.
    async fn photo_refusals(&self, before: &[Alert]) -> Result<Vec<String>, Error> {
        let is_about_photos = |alert: &Alert| alert.field.is_empty() || alert.field == Field::Photos.name();
        let mut alerts = self.alerts_since(before).await?;
        alerts.retain(is_about_photos);
        Ok(alerts.into_iter().map(|alert| alert.text).collect())
    }

    async fn refused(&self, texts: Vec<String>, mark: usize) -> Error {
        let stumbled =
            |exchange: &Exchange| exchange.failed || exchange.status.is_some_and(|status| status >= 500);
        if self.uploads(mark).iter().any(stumbled) {
            return Error::Unavailable(format!("photo upload: {}", texts.join("; ")));
        }
        let name = |text| (Field::Photos.name().to_owned(), text);
        Error::Refused {
            violations: texts.into_iter().map(name).collect(),
            evidence: Box::new(self.evidence().await),
        }
    }
}
