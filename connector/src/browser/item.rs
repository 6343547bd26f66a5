//! Changes items on sale: by the form with the item's values, and by the buttons on the item's own page.

use serde_json::Value;
use vintedbot_marketplace::selectors::Key;
use vintedbot_marketplace::{ChangeKind, Error, Field, FieldReading, FillStep, Filled, StepObserver};

use super::filling::{FILLED_SHOWS_WITHIN, OPENED_SHOWS_WITHIN};
use super::listing_form::BrowserFormDriver;
use super::page::{COMES_WITHIN, within};
use super::write::Click;
use crate::browserless::FIELD_STEPS;
use crate::reading::{self, FIELDS};
use crate::text;

impl BrowserFormDriver {
    /// Opens the page of an own item and prepares the click that changes the item.
    pub(super) async fn opened_item(
        &mut self,
        remote_id: &str,
        kind: ChangeKind,
        steps: &dyn StepObserver,
    ) -> Result<(Filled, Click), Error> {
        let not_found = || Error::NotFound {
            remote_id: remote_id.to_owned(),
        };
        let item = self.session.item_json(remote_id).await?.ok_or_else(not_found)?;
        if item["is_draft"] == true || text::id(&item["id"]).as_deref() != Some(remote_id) {
            return Err(not_found());
        }
        if kind == ChangeKind::Edit {
            let filled = self.edited(remote_id, &item, steps).await?;
            return Ok((filled, Click::SaveItem(remote_id.to_owned())));
        }
        let filled = self.own_page(remote_id, &item, kind, steps).await?;
        let id = remote_id.to_owned();
        let click = if kind == ChangeKind::Delete {
            Click::Delete(id)
        } else {
            Click::Hide(id)
        };
        Ok((filled, click))
    }

    async fn edited(
        &mut self,
        remote_id: &str,
        item: &Value,
        steps: &dyn StepObserver,
    ) -> Result<Filled, Error> {
        let mut content = self.request.content.clone();
        if self.request.keeps_photos {
            // The hashes of photos on the site are unknown; only their number can be verified.
            let count = item["photos"].as_array().map_or(0, Vec::len);
            content.photo_sha256s = vec![String::new(); count];
        }
        let path = format!("/items/{remote_id}/edit");
        self.open_editor(&path, steps).await?;
        if self.page.url().await?.path() != path || self.page.find(Key::SaveDraft).await?.is_some() {
            return Err(Error::NotFound {
                remote_id: remote_id.to_owned(),
            });
        }
        self.shows_the_item(item).await?;
        if !self.request.keeps_photos {
            self.page.remove_photos().await?;
            self.fill_photos(steps).await?;
        }
        let changed = changed(&reading::of_item(&content, item));
        for (field, _) in FIELD_STEPS {
            if changed.contains(&field) {
                self.fill(&content, field, steps).await?;
            }
        }
        self.repair(&content).await?;
        self.prove(&content, steps, FILLED_SHOWS_WITHIN).await
    }

    /// Waits until the form shows the item as the site's API returned it. Before that, no field can be compared.
    async fn shows_the_item(&self, item: &Value) -> Result<(), Error> {
        let title = text::comparable(item["title"].as_str().unwrap_or_default());
        let photos = item["photos"].as_array().map_or(0, Vec::len);
        let shown = within!(OPENED_SHOWS_WITHIN, {
            let seen = self.page.seen(&self.request.content, Field::Title).await?;
            let is_there = seen.is_some_and(|seen| text::comparable(&seen) == title)
                && self.page.all(Key::PhotosReady).await?.len() == photos
                && self.page.find(Key::BrandInput).await?.is_some() == item["brand_id"].is_number();
            Ok(is_there.then_some(()))
        });
        shown?;
        let seen = self
            .page
            .seen(&self.request.content, Field::Title)
            .await?
            .unwrap_or_default();
        if text::comparable(&seen) == title {
            return Ok(());
        }
        Err(self.page.mismatch(Field::Title, &title, &seen).await)
    }

    async fn own_page(
        &mut self,
        remote_id: &str,
        item: &Value,
        kind: ChangeKind,
        steps: &dyn StepObserver,
    ) -> Result<Filled, Error> {
        self.sign_in(steps).await?;
        let path = format!("/items/{remote_id}");
        self.go_to(&path).await?;
        let button = if kind == ChangeKind::Delete {
            Key::ItemDelete
        } else {
            Key::ItemHide
        };
        if self.page.comes(button, COMES_WITHIN).await?.is_none() {
            self.page.look().await?;
            return Err(self.page.not_found(button.name()).await);
        }
        // The site appends words to the number (`/items/123-blue-jumper`).
        let url = self.page.url().await?;
        let shown = url.path().trim_start_matches("/items/");
        let is_its_page = shown == remote_id || shown.starts_with(&format!("{remote_id}-"));
        let evidence = self.page.evidence().await;
        let title = item["title"].as_str().unwrap_or_default();
        if !is_its_page || !text::comparable(&evidence.page_text).contains(&text::comparable(title)) {
            return Err(Error::Mismatch {
                field: Field::Title.name().to_owned(),
                approved: title.to_owned(),
                seen: url.to_string(),
                evidence: Box::new(evidence),
            });
        }
        self.step(steps, FillStep::FormOpened, &path, Some(button))
            .await?;
        let read_back = own_readings(item, kind);
        reading::mismatch(&read_back, &evidence)?;
        self.step(steps, FillStep::ScreenshotTaken, &evidence.url, None)
            .await?;
        Ok(Filled { read_back, evidence })
    }
}

/// Returns the fields that differ from the approved values, by the site's own ids.
fn changed(readings: &[FieldReading]) -> Vec<Field> {
    let differs = |field: &Field| {
        let of_field = |reading: &&FieldReading| reading.field == field.name();
        readings
            .iter()
            .find(of_field)
            .is_some_and(|reading| !reading.matches)
    };
    FIELDS.into_iter().filter(differs).collect()
}

/// Returns the readings for a change on the item's own page: its title, and that it is not yet in the wanted state. The
/// button that hides an item also shows it again.
fn own_readings(item: &Value, kind: ChangeKind) -> Vec<FieldReading> {
    let title = item["title"].as_str().unwrap_or_default();
    let mut readings = vec![FieldReading {
        field: Field::Title.name().to_owned(),
        approved: title.to_owned(),
        seen: title.to_owned(),
        matches: true,
    }];
    if kind != ChangeKind::Delete {
        let wanted = kind == ChangeKind::Unhide;
        let is_hidden = item["is_hidden"] == true;
        readings.push(FieldReading {
            field: "is_hidden".to_owned(),
            approved: wanted.to_string(),
            seen: is_hidden.to_string(),
            matches: wanted == is_hidden,
        });
    }
    readings
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vintedbot_marketplace::Evidence;

    use super::*;

    #[test]
    fn hidden_item_is_not_hidden_again() {
        for (kind, is_hidden, expected) in [
            (ChangeKind::Hide, false, true),
            (ChangeKind::Hide, true, false),
            (ChangeKind::Unhide, true, true),
            (ChangeKind::Unhide, false, false),
            (ChangeKind::Delete, true, true),
        ] {
            let item = json!({"title": "Pull", "is_hidden": is_hidden});
            let fits = reading::mismatch(&own_readings(&item, kind), &Evidence::default()).is_ok();
            assert_eq!(fits, expected, "{kind:?} {is_hidden}");
        }
    }
}
