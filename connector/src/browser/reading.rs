//! Reading the form back.

use std::time::Duration;

use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{Error, Field, FieldReading, ItemContent};

use super::broken;
use super::page::{Page, Target, value, within};
use crate::reading::{self, FIELDS};

impl Page {
    /// What a field of the form shows; `None` when the form has no such field.
    pub(crate) async fn seen(&self, content: &ItemContent, field: Field) -> Result<Option<String>, Error> {
        let input = match field {
            Field::Photos => return Ok(Some(self.all(Key::PhotosReady).await?.len().to_string())),
            Field::PackageSize => return self.package_seen(content).await,
            Field::Title => Key::Title,
            Field::Description => Key::Description,
            Field::Category => Key::CategoryInput,
            Field::Brand => Key::BrandInput,
            Field::Size => Key::SizeInput,
            Field::Condition => Key::ConditionInput,
            Field::Colors => Key::ColorInput,
            Field::Materials => Key::MaterialInput,
            Field::Price => Key::Price,
            Field::Bump | Field::SaveDraft | Field::Publish => return Ok(None),
        };
        match self.there(input).await? {
            Some(input) => Ok(Some(value(&input).await.map_err(broken)?)),
            None => Ok(None),
        }
    }

    /// The approved package size if it is the chosen one, else nothing: the sizes exclude each other.
    async fn package_seen(&self, content: &ItemContent) -> Result<Option<String>, Error> {
        let Some(choice) = &content.package_size else {
            return Ok(None);
        };
        let id = choice.id.to_string();
        let Some(radio) = self
            .there(Target {
                key: Key::PackageSizeRadio,
                value: &id,
            })
            .await?
        else {
            return Ok(None);
        };
        let is_chosen = radio.is_selected().await.map_err(broken)?;
        Ok(Some(if is_chosen {
            choice.name.clone()
        } else {
            String::new()
        }))
    }

    /// Every field that the form shows, all of them proved to be what was approved, at the latest after this time.
    pub(crate) async fn read_back(
        &self,
        content: &ItemContent,
        shows_within: Duration,
    ) -> Result<Vec<FieldReading>, Error> {
        self.keep_bump_off().await?;
        let settled = within!(shows_within, {
            for field in FIELDS {
                let seen = self.seen(content, field).await?;
                if !reading::agrees(content, field, seen.as_deref().unwrap_or_default()) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
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
            if !reading::agrees(content, field, &seen) {
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
}
