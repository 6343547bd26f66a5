//! Fills the listing form in order and reads it back at the end.

use std::time::Duration;

use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{Error, Field, FillStep, Filled, ItemContent, StepObserver};

use super::listing_form::BrowserFormDriver;
use super::page::{COMES_WITHIN, within};
use super::reading::shown_by;
use crate::browserless::FIELD_STEPS;
use crate::reading;

/// How long a form whose fields were each verified may take to show all of them.
pub(super) const FILLED_SHOWS_WITHIN: Duration = Duration::from_secs(2);
/// How long a form that opens with an item may take to show all of its values.
pub(super) const OPENED_SHOWS_WITHIN: Duration = Duration::from_secs(15);
/// How often changed fields are filled again. The site changes filled fields when it derives a category from the photos
/// (as seen 2026, confidence A).
const REPAIRS: usize = 3;
const QUIET_FOR: Duration = Duration::from_millis(200);
const QUIET_WITHIN: Duration = Duration::from_secs(5);

impl BrowserFormDriver {
    pub(super) async fn filled(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error> {
        self.sign_in(steps).await?;
        self.open_form().await?;
        self.step(steps, FillStep::FormOpened, "/items/new", Some(Key::Title))
            .await?;
        self.fill_photos(steps).await?;
        let content = &self.request.content;
        for (field, _) in FIELD_STEPS {
            if !reading::approved(content, field).is_empty() {
                self.fill(content, field, steps).await?;
            }
        }
        self.repair(content).await?;
        self.prove(content, steps, FILLED_SHOWS_WITHIN).await
    }

    /// Opens the empty form. The site sometimes answers a direct visit with its home page, whose own link leads to the
    /// form (as seen 2026, confidence A).
    async fn open_form(&self) -> Result<(), Error> {
        self.go_to("/items/new").await?;
        if self.page.url().await?.path() == "/" && self.page.press(Key::SellButton, COMES_WITHIN).await? {
            let arrived = within!(COMES_WITHIN, {
                Ok((self.page.url().await?.path() == "/items/new").then_some(()))
            });
            arrived?;
            self.capture_cookies().await;
            self.page.uncover().await?;
        }
        self.form_comes().await
    }

    async fn form_comes(&self) -> Result<(), Error> {
        if self.page.comes(Key::Title, COMES_WITHIN).await?.is_none() {
            return Err(self.page.not_found("form").await);
        }
        Ok(())
    }

    /// Opens the form of an existing item.
    pub(super) async fn open_editor(&mut self, path: &str, steps: &dyn StepObserver) -> Result<(), Error> {
        self.sign_in(steps).await?;
        self.go_to(path).await?;
        self.form_comes().await?;
        self.step(steps, FillStep::FormOpened, path, Some(Key::Title))
            .await
    }

    pub(super) async fn fill_photos(&self, steps: &dyn StepObserver) -> Result<(), Error> {
        let photos = &self.request.photos;
        let folder = self.request.work_dir.join("photos");
        self.page.fill_photos(&folder, photos).await?;
        let by = Some(Key::PhotoInput);
        self.step(steps, FillStep::PhotosUploaded, &photos.len().to_string(), by)
            .await
    }

    /// Fills one field and reports the step.
    pub(super) async fn fill(
        &self,
        content: &ItemContent,
        field: Field,
        steps: &dyn StepObserver,
    ) -> Result<(), Error> {
        self.page.fill_field(content, field).await?;
        let Some((_, step)) = FIELD_STEPS.iter().find(|(of, _)| *of == field) else {
            return Ok(());
        };
        let detail = match field {
            Field::Description => String::new(),
            _ => reading::approved(content, field),
        };
        self.step(steps, *step, &detail, Some(shown_by(field))).await
    }

    /// Fills the fields again that no longer hold the approved value.
    pub(super) async fn repair(&self, content: &ItemContent) -> Result<(), Error> {
        for _ in 0..REPAIRS {
            self.page.traffic.quiet(QUIET_FOR, QUIET_WITHIN).await;
            let mut differing = self.page.differing(content).await?;
            differing.retain(|field| *field != Field::Photos);
            let Some(first) = differing.first().copied() else {
                return Ok(());
            };
            tracing::info!(?differing, "the site changed filled fields; filling them again");
            if first == Field::Category {
                self.page.fill_field(content, first).await?;
                // The category determines which fields exist and which values they still hold.
                self.page.traffic.quiet(QUIET_FOR, QUIET_WITHIN).await;
                differing = self.page.differing(content).await?;
            }
            for field in differing {
                if field != Field::Photos && field != Field::Category {
                    self.page.fill_field(content, field).await?;
                }
            }
            self.page.uncover().await?;
        }
        Ok(())
    }

    /// Reads the whole form back and takes a screenshot.
    pub(super) async fn prove(
        &self,
        content: &ItemContent,
        steps: &dyn StepObserver,
        shows_within: Duration,
    ) -> Result<Filled, Error> {
        let read_back = self.page.read_back(content, shows_within).await?;
        self.step(steps, FillStep::ReadBack, "", None).await?;
        self.page.look().await?;
        let evidence = self.page.evidence().await;
        self.step(steps, FillStep::ScreenshotTaken, &evidence.url, None)
            .await?;
        Ok(Filled { read_back, evidence })
    }
}
