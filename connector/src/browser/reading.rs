//! Reads the form back.

use std::time::Duration;

use thirtyfour::error::WebDriverResult;
use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{Error, Field, FieldReading, ItemContent, fold};

use super::failure::{failed, is_missing};
use super::find::Target;
use super::page::{Page, value, within};
use crate::reading::{self, FIELDS};

/// Returns the key of the element that shows a field's value.
pub(crate) fn shown_by(field: Field) -> Key {
    match field {
        Field::Photos => Key::PhotoInput,
        Field::Title => Key::Title,
        Field::Description => Key::Description,
        Field::Category => Key::CategoryInput,
        Field::Brand => Key::BrandInput,
        Field::Size => Key::SizeInput,
        Field::Condition => Key::ConditionInput,
        Field::Colors => Key::ColorInput,
        Field::Materials => Key::MaterialInput,
        Field::Price => Key::Price,
        Field::PackageSize => Key::PackageSizeOption,
        Field::Bump => Key::Bump,
        Field::SaveDraft => Key::SaveDraft,
        Field::Publish => Key::Publish,
    }
}

impl Page {
    /// Returns what a field of the form shows; `None` if the form has no such field.
    pub(crate) async fn seen(&self, content: &ItemContent, field: Field) -> Result<Option<String>, Error> {
        match field {
            Field::Photos => return Ok(Some(self.all(Key::PhotosReady).await?.len().to_string())),
            Field::PackageSize => return self.package_seen(content).await,
            Field::Bump | Field::SaveDraft | Field::Publish => return Ok(None),
            _ => {}
        }
        match self.find(shown_by(field)).await? {
            Some(input) => there(value(&input).await),
            None => Ok(None),
        }
    }

    /// Returns the approved package size if it is the selected one, else an empty text: only one size can be selected.
    async fn package_seen(&self, content: &ItemContent) -> Result<Option<String>, Error> {
        let Some(choice) = &content.package_size else {
            return Ok(None);
        };
        let id = choice.id.to_string();
        let cell = self.find(Target::new(Key::PackageSizeOption, &id)).await?;
        let radio = self.find(Target::new(Key::PackageSizeRadio, &id)).await?;
        let (Some(cell), Some(radio)) = (cell, radio) else {
            return Ok(None);
        };
        let (Some(is_selected), Some(text)) = (there(radio.is_selected().await)?, there(cell.text().await)?)
        else {
            return Ok(None);
        };
        let is_chosen = is_selected && says(&text, &choice.name);
        Ok(Some(if is_chosen {
            choice.name.clone()
        } else {
            String::new()
        }))
    }

    /// Whether a field that shows `seen` holds the approved value.
    pub(crate) fn holds(&self, content: &ItemContent, field: Field, seen: &str) -> bool {
        // Two categories may have the same name. The form's own request shows which one is chosen.
        let is_meant = field != Field::Category
            || self
                .asked_category()
                .is_none_or(|asked| asked == content.category.id);
        is_meant && reading::agrees(content, field, seen)
    }

    /// Returns the fields that do not show the approved value, in the form's order.
    pub(crate) async fn differing(&self, content: &ItemContent) -> Result<Vec<Field>, Error> {
        let mut differing = Vec::new();
        for field in FIELDS {
            let seen = self.seen(content, field).await?;
            if !self.holds(content, field, seen.as_deref().unwrap_or_default()) {
                differing.push(field);
            }
        }
        Ok(differing)
    }

    /// Reads every field that the form shows. Waits at most `shows_within` for all of them to match, and fails if one
    /// does not.
    pub(crate) async fn read_back(
        &self,
        content: &ItemContent,
        shows_within: Duration,
    ) -> Result<Vec<FieldReading>, Error> {
        self.keep_bump_off().await?;
        let settled = within!(shows_within, {
            let differing = self.differing(content).await?;
            Ok(differing.is_empty().then_some(()))
        });
        settled?;
        let mut readings = Vec::new();
        for field in FIELDS {
            let approved = reading::approved(content, field);
            let Some(seen) = self.seen(content, field).await? else {
                if approved.is_empty() {
                    continue;
                }
                return Err(self.not_found(field.name()).await);
            };
            if !self.holds(content, field, &seen) {
                return Err(self.mismatch(field, &approved, &seen).await);
            }
            readings.push(FieldReading {
                field: field.name().to_owned(),
                approved,
                seen,
                matches: true,
            });
        }
        Ok(readings)
    }

    pub(crate) async fn mismatch(&self, field: Field, approved: &str, seen: &str) -> Error {
        let other = self.asked_category().filter(|_| field == Field::Category);
        let seen = other.map_or(seen.to_owned(), |id| format!("{seen} (category {id})"));
        Error::Mismatch {
            field: field.name().to_owned(),
            approved: approved.to_owned(),
            seen,
            evidence: Box::new(self.evidence().await),
        }
    }
}

/// Returns the value read from an element; `None` if the page has since replaced the element.
fn there<T>(read: WebDriverResult<T>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Whether a row's text contains a name, in whole words.
pub(crate) fn says(text: &str, name: &str) -> bool {
    let name = fold(name);
    name.is_empty() || format!(" {} ", fold(text)).contains(&format!(" {name} "))
}
