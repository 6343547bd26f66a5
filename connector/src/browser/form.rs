//! Filling the form, field by field, each proved by reading it back.
//!
//! The inputs of choices are read-only: only a clicked option counts. Lists with one choice close by themselves, lists
//! with several close by a click outside (as seen 2026, confidence A).

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use thirtyfour::{Key as Keyboard, WebElement};
use vintedbot_marketplace::catalog::NO_BRAND;
use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{CategoryChoice, Error, Field, ItemContent, Named, PhotoFile};

use super::broken;
use super::page::{COMES_WITHIN, Page, Target, value, within};
use super::traffic::Exchange;
use crate::{reading, text};

/// Up to twenty photos are sent one after the other.
const PHOTOS_COME_WITHIN: Duration = Duration::from_secs(120);
/// How long a list may take to open before its input is pressed again: a page that is still waking up loses clicks.
const OPENS_WITHIN: Duration = Duration::from_secs(2);
const PRESSES: usize = 4;
/// How long a field may take to show what was entered.
const SHOWS_WITHIN: Duration = Duration::from_secs(3);

impl Page {
    pub(crate) async fn fill_photos(&mut self, folder: &Path, photos: &[PhotoFile]) -> Result<(), Error> {
        let mut paths = Vec::new();
        tokio::fs::create_dir_all(folder).await.map_err(broken)?;
        for (at, photo) in photos.iter().enumerate() {
            let kind = photo
                .content_type
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .replace("jpeg", "jpg");
            let path: PathBuf = folder.join(format!("{:02}.{kind}", at + 1));
            tokio::fs::write(&path, &photo.bytes).await.map_err(broken)?;
            paths.push(path.display().to_string());
        }
        if paths.is_empty() {
            return Ok(());
        }
        let input = within!(COMES_WITHIN, self.there(Key::PhotoInput).await)?;
        let Some(input) = input else {
            return Err(self.not_found(Field::Photos.name()).await);
        };
        let mark = self.traffic.mark();
        input.send_keys(paths.join("\n")).await.map_err(broken)?;
        let all_ready = within!(PHOTOS_COME_WITHIN, {
            let ready = self.all(Key::PhotosReady).await?.len();
            // A refused photo never becomes ready, and is said to be refused.
            Ok((ready >= paths.len() || !self.alerts().await?.is_empty()).then_some(()))
        });
        all_ready?;
        self.look().await?;
        let refused = self.alerts().await?;
        if !refused.is_empty() {
            let stumbled =
                |exchange: &Exchange| exchange.failed || exchange.status.is_some_and(|status| status >= 500);
            let uploads = self.traffic.since(mark).unwrap_or_default();
            if uploads
                .iter()
                .any(|exchange| exchange.method == "POST" && stumbled(exchange))
            {
                return Err(Error::Unavailable(format!(
                    "photo upload: {}",
                    refused.join("; ")
                )));
            }
            let violations = refused
                .into_iter()
                .map(|text| (Field::Photos.name().to_owned(), text))
                .collect();
            return Err(Error::Refused {
                violations,
                evidence: Box::new(self.evidence().await),
            });
        }
        let ready = self.all(Key::PhotosReady).await?.len().to_string();
        if ready == paths.len().to_string() {
            return Ok(());
        }
        Err(self
            .mismatch(Field::Photos, &paths.len().to_string(), &ready)
            .await)
    }

    pub(crate) async fn fill_text(&self, content: &ItemContent, field: Field) -> Result<(), Error> {
        let (key, words) = match field {
            Field::Title => (Key::Title, content.title.clone()),
            Field::Description => (Key::Description, content.description.clone()),
            Field::Price => {
                // Amounts are written with a comma wherever the euro is (as seen 2026, confidence A).
                let sign = if matches!(content.price.currency.as_str(), "GBP" | "USD") {
                    '.'
                } else {
                    ','
                };
                (Key::Price, text::decimal(content.price.minor_units, sign))
            }
            _ => return Err(Error::Shape(format!("{} is not a text field", field.name()))),
        };
        let Some(input) = self.comes(key, COMES_WITHIN).await? else {
            return Err(self.not_found(field.name()).await);
        };
        self.type_into(&input, &words).await?;
        if field == Field::Price {
            // The form writes the amount in its own way once the field is left.
            input.send_keys(Keyboard::Tab).await.map_err(broken)?;
        }
        self.prove(content, field, key).await
    }

    pub(crate) async fn choose_category(
        &self,
        content: &ItemContent,
        choice: &CategoryChoice,
    ) -> Result<(), Error> {
        let ids: Vec<String> = choice.path.iter().map(|step| step.id.to_string()).collect();
        let Some(first) = ids.first() else {
            return Err(self.not_found(Field::Category.name()).await);
        };
        if !self
            .open_list(
                Key::CategoryInput,
                Target {
                    key: Key::CategoryRow,
                    value: first,
                },
            )
            .await?
            || !self.walk(&ids).await?
        {
            self.search_category(choice).await?;
        }
        self.prove(content, Field::Category, Key::CategoryInput).await
    }

    /// Step by step from the root to the leaf; `false` when a step is missing.
    async fn walk(&self, ids: &[String]) -> Result<bool, Error> {
        for id in ids {
            if !self
                .press(
                    Target {
                        key: Key::CategoryRow,
                        value: id,
                    },
                    OPENS_WITHIN,
                )
                .await?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn search_category(&self, choice: &CategoryChoice) -> Result<(), Error> {
        let leaf = choice.id.to_string();
        let name = choice
            .path
            .last()
            .map(|leaf| leaf.name.as_str())
            .unwrap_or_default();
        if self
            .open_list(Key::CategoryInput, Key::CategorySearch.into())
            .await?
            && let Some(search) = self.visible(Key::CategorySearch).await?
        {
            self.type_into(&search, name).await?;
            if self
                .press(
                    Target {
                        key: Key::CategoryRow,
                        value: &leaf,
                    },
                    COMES_WITHIN,
                )
                .await?
            {
                return Ok(());
            }
        }
        Err(self.not_found(Field::Category.name()).await)
    }

    pub(crate) async fn choose_brand(&self, content: &ItemContent, brand: &Named) -> Result<(), Error> {
        let id = brand.id.to_string();
        let row = Target {
            key: Key::BrandRow,
            value: &id,
        };
        for _ in 0..PRESSES {
            if !self.open_list(Key::BrandInput, Key::BrandSearch.into()).await? {
                return Err(self.not_found(Field::Brand.name()).await);
            }
            let none: Target<'_> = Key::BrandNone.into();
            let is_none = brand.id == NO_BRAND && self.press(none, OPENS_WITHIN).await?;
            if !is_none {
                if let Some(search) = self.visible(Key::BrandSearch).await?
                    && value(&search).await.map_err(broken)? != brand.name
                {
                    self.type_into(&search, &brand.name).await?;
                }
                if !self.press(row, COMES_WITHIN).await? {
                    return Err(self.not_found(Field::Brand.name()).await);
                }
            }
            // A list that is filled anew by the search, right under the click, swallows it.
            if self.agrees(content, Field::Brand, Key::BrandInput).await? {
                return Ok(());
            }
        }
        self.prove(content, Field::Brand, Key::BrandInput).await
    }

    /// Chooses in a list that takes one choice and closes by itself.
    pub(crate) async fn choose_one(
        &self,
        content: &ItemContent,
        field: Field,
        choice: &Named,
    ) -> Result<(), Error> {
        let (input, option) = match field {
            Field::Size => (Key::SizeInput, Key::SizeOption),
            _ => (Key::ConditionInput, Key::ConditionOption),
        };
        let id = choice.id.to_string();
        let option = Target {
            key: option,
            value: &id,
        };
        if !self.open_list(input, option).await? || !self.press(option, COMES_WITHIN).await? {
            return Err(self.not_found(field.name()).await);
        }
        self.prove(content, field, input).await
    }

    /// Chooses in a list that takes several choices and stays open.
    pub(crate) async fn choose_many(
        &self,
        content: &ItemContent,
        field: Field,
        choices: &[Named],
    ) -> Result<(), Error> {
        let (input, option) = match field {
            Field::Colors => (Key::ColorInput, Key::ColorOption),
            _ => (Key::MaterialInput, Key::MaterialOption),
        };
        for choice in choices {
            let id = choice.id.to_string();
            let option = Target {
                key: option,
                value: &id,
            };
            if !self.open_list(input, option).await? || !self.press(option, COMES_WITHIN).await? {
                return Err(self.not_found(field.name()).await);
            }
        }
        self.close_list().await?;
        self.prove(content, field, input).await
    }

    pub(crate) async fn choose_package(&self, content: &ItemContent, choice: &Named) -> Result<(), Error> {
        let id = choice.id.to_string();
        if !self
            .press(
                Target {
                    key: Key::PackageSizeOption,
                    value: &id,
                },
                COMES_WITHIN,
            )
            .await?
        {
            return Err(self.not_found(Field::PackageSize.name()).await);
        }
        let is_chosen = within!(SHOWS_WITHIN, {
            let seen = self.seen(content, Field::PackageSize).await?;
            Ok(seen.filter(|seen| reading::agrees(content, Field::PackageSize, seen)))
        });
        match is_chosen? {
            Some(_) => Ok(()),
            None => Err(self.mismatch(Field::PackageSize, &choice.name, "").await),
        }
    }

    /// The paid bump, which nobody asked for, stays off.
    pub(crate) async fn keep_bump_off(&self) -> Result<(), Error> {
        let Some(bump) = self.there(Key::Bump).await? else {
            return Ok(());
        };
        if bump.is_selected().await.map_err(broken)? {
            bump.click().await.map_err(broken)?;
        }
        if bump.is_selected().await.map_err(broken)? {
            return Err(self.mismatch(Field::Bump, "off", "on").await);
        }
        Ok(())
    }

    /// Opens the list behind a read-only input, until the thing in it shows. `false` when it never does.
    async fn open_list(&self, input: Key, shows: Target<'_>) -> Result<bool, Error> {
        if self.comes(input, COMES_WITHIN).await?.is_none() {
            return Ok(false);
        }
        for _ in 0..PRESSES {
            if self.visible(shows).await?.is_some() {
                return Ok(true);
            }
            self.press(input, OPENS_WITHIN).await?;
            if self.comes(shows, OPENS_WITHIN).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn close_list(&self) -> Result<(), Error> {
        // The small-screen form has a button for it; else any click outside does, and the title takes one without harm.
        let button = if self.visible(Key::ListDone).await?.is_some() {
            Key::ListDone
        } else {
            Key::Title
        };
        self.press(button, COMES_WITHIN).await.map(drop)
    }

    /// Puts a text into an input in one piece. Key by key, some characters would act as keys and others not arrive.
    async fn type_into(&self, input: &WebElement, words: &str) -> Result<(), Error> {
        input.click().await.map_err(broken)?;
        if !value(input).await.map_err(broken)?.is_empty() {
            input.clear().await.map_err(broken)?;
            input.click().await.map_err(broken)?;
        }
        self.driver
            .cdp()
            .send_raw("Input.insertText", json!({ "text": words }))
            .await
            .map_err(broken)?;
        Ok(())
    }

    /// Waits until a field shows what was approved.
    async fn prove(&self, content: &ItemContent, field: Field, input: Key) -> Result<(), Error> {
        if self.agrees(content, field, input).await? {
            return Ok(());
        }
        let seen = self.seen(content, field).await?.unwrap_or_default();
        Err(self
            .mismatch(field, &reading::approved(content, field), &seen)
            .await)
    }

    /// Whether a field comes to show what was approved.
    async fn agrees(&self, content: &ItemContent, field: Field, input: Key) -> Result<bool, Error> {
        let agreed = within!(SHOWS_WITHIN, {
            let Some(input) = self.there(input).await? else {
                return Ok(None);
            };
            let seen = value(&input).await.unwrap_or_default();
            Ok(reading::agrees(content, field, &seen).then_some(()))
        });
        Ok(agreed?.is_some())
    }

    pub(crate) async fn mismatch(&self, field: Field, approved: &str, seen: &str) -> Error {
        Error::Mismatch {
            field: field.name().to_owned(),
            approved: approved.to_owned(),
            seen: seen.to_owned(),
            evidence: Box::new(self.evidence().await),
        }
    }
}
