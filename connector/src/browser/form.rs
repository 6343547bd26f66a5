//! Fills the form field by field and verifies each field by reading it back.

use std::time::Duration;

use serde_json::json;
use thirtyfour::Key as Keyboard;
use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{Error, Field, ItemContent, Named};

use super::failure::{failed, is_missing};
use super::find::Target;
use super::page::{COMES_WITHIN, Page, value, within};
use super::reading::{says, shown_by};
use crate::{reading, text};

/// How long a field may take to show an entered value.
const SHOWS_WITHIN: Duration = Duration::from_secs(3);
/// How often a text is entered that did not arrive because something took the keyboard focus.
const TRIES: usize = 3;

impl Page {
    /// Fills one field, other than the photos, with its approved value.
    pub(crate) async fn fill_field(&self, content: &ItemContent, field: Field) -> Result<(), Error> {
        match field {
            Field::Title | Field::Description | Field::Price => self.fill_text(content, field).await,
            Field::Category => self.choose_category(content).await,
            Field::Brand => match &content.brand {
                Some(brand) => self.choose_brand(content, brand).await,
                None => self.leave_empty(content, field).await,
            },
            Field::Size | Field::Condition => {
                let choice = if field == Field::Size {
                    &content.size
                } else {
                    &content.condition
                };
                match choice {
                    Some(choice) => self.choose_one(content, field, choice).await,
                    None => self.leave_empty(content, field).await,
                }
            }
            Field::Colors => self.choose_many(content, field, &content.colors).await,
            Field::Materials => self.choose_many(content, field, &content.materials).await,
            Field::PackageSize => match &content.package_size {
                Some(size) => self.choose_package(content, size).await,
                None => Ok(()),
            },
            Field::Photos | Field::Bump | Field::SaveDraft | Field::Publish => {
                Err(Error::Shape(format!("{} cannot be filled here", field.name())))
            }
        }
    }

    async fn fill_text(&self, content: &ItemContent, field: Field) -> Result<(), Error> {
        let words = match field {
            Field::Title => content.title.clone(),
            Field::Description => content.description.clone(),
            _ => {
                // GBP and USD amounts have a decimal point. All others are written with a comma, as the euro markets do
                // (as seen 2026, confidence A).
                let sign = if matches!(content.price.currency.as_str(), "GBP" | "USD") {
                    '.'
                } else {
                    ','
                };
                text::decimal(content.price.minor_units, &content.price.currency, sign)
            }
        };
        let key = shown_by(field);
        if !self.type_into(key, &words).await? {
            return Err(self.not_found(field.name()).await);
        }
        if field == Field::Price
            && let Some(input) = self.find(key).await?
        {
            // The form reformats the amount when the field loses focus.
            input.send_keys(Keyboard::Tab).await.map_err(failed)?;
        }
        self.prove(content, field).await
    }

    async fn choose_package(&self, content: &ItemContent, choice: &Named) -> Result<(), Error> {
        let id = choice.id.to_string();
        let cell = Target::new(Key::PackageSizeOption, &id);
        let is_pressed = self
            .press_row(cell, &choice.name, |text| says(text, &choice.name), COMES_WITHIN)
            .await?;
        if !is_pressed {
            return Err(self.not_found(Field::PackageSize.name()).await);
        }
        self.prove(content, Field::PackageSize).await
    }

    /// Ensures that the paid bump, which is never approved, is off.
    pub(crate) async fn keep_bump_off(&self) -> Result<(), Error> {
        let Some(bump) = self.find(Key::Bump).await? else {
            return Ok(());
        };
        if bump.is_selected().await.map_err(failed)? {
            self.press(Key::Bump, COMES_WITHIN).await?;
        }
        if bump.is_selected().await.map_err(failed)? {
            return Err(self.mismatch(Field::Bump, "off", "on").await);
        }
        Ok(())
    }

    /// Checks that a field without an approved value is empty. A value that is already there is not removed.
    async fn leave_empty(&self, content: &ItemContent, field: Field) -> Result<(), Error> {
        let seen = self.seen(content, field).await?.unwrap_or_default();
        if reading::agrees(content, field, &seen) {
            return Ok(());
        }
        Err(self.mismatch(field, "", &seen).await)
    }

    /// Enters a text into an input in one piece. Returns `false` if there is no such input. Typed key by key, some
    /// characters would act as keys and others would not arrive.
    pub(crate) async fn type_into(&self, key: Key, words: &str) -> Result<bool, Error> {
        for _ in 0..TRIES {
            if !self.press(key, COMES_WITHIN).await? {
                return Ok(false);
            }
            let Some(input) = self.find(key).await? else {
                continue;
            };
            match value(&input).await {
                Err(error) if is_missing(&error) => continue,
                Err(error) => return Err(failed(error)),
                Ok(held) if held.is_empty() => {}
                Ok(_) => {
                    input.clear().await.map_err(failed)?;
                    if !self.press(key, COMES_WITHIN).await? {
                        return Ok(false);
                    }
                }
            }
            let has_keyboard = "return document.activeElement === arguments[0];";
            let argument = input.to_json().map_err(failed)?;
            let has_keyboard = self
                .driver
                .execute(has_keyboard, vec![argument])
                .await
                .map_err(failed)?;
            if has_keyboard.json() != &json!(true) {
                self.uncover().await?;
                continue;
            }
            self.driver
                .cdp()
                .send_raw("Input.insertText", json!({ "text": words }))
                .await
                .map_err(failed)?;
            let held = value(&input).await.unwrap_or_default();
            if text::comparable(&held) == text::comparable(words) {
                break;
            }
        }
        Ok(true)
    }

    /// Waits until a field shows its approved value. Fails with a mismatch if it does not in time.
    pub(crate) async fn prove(&self, content: &ItemContent, field: Field) -> Result<(), Error> {
        if self.comes_to_hold(content, field).await? {
            return Ok(());
        }
        let seen = self.seen(content, field).await?.unwrap_or_default();
        Err(self
            .mismatch(field, &reading::approved(content, field), &seen)
            .await)
    }

    /// Waits until a field shows its approved value. Returns `false` if it does not in time.
    pub(crate) async fn comes_to_hold(&self, content: &ItemContent, field: Field) -> Result<bool, Error> {
        let holds = within!(SHOWS_WITHIN, {
            let seen = self.seen(content, field).await?;
            Ok(seen.filter(|seen| self.holds(content, field, seen)).map(drop))
        });
        Ok(holds?.is_some())
    }
}
