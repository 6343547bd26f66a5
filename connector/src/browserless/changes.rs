//! Changes an item without a browser: reads it completely, changes it and sends it back completely, as the site's edit
//! page does.

use reqwest::Method;
use serde_json::{Value, json};
use vintedbot_marketplace::catalog::is_no_brand;
use vintedbot_marketplace::{ChangeKind, Error, Field, FieldReading, FillStep, Filled, StepObserver};

use super::{Browserless, FIELD_STEPS, draft};
use crate::web::{Call, Payload};
use crate::{reading, text};

/// Fields that the form sends but a listing does not have. They are sent back unchanged.
const UNCHANGED: [&str; 7] = [
    "isbn",
    "is_unisex",
    "measurement_length",
    "measurement_width",
    "manufacturer",
    "manufacturer_labelling",
    "video_game_rating_id",
];
/// The attributes that a listing has as fields.
const OWN_ATTRIBUTES: [&str; 3] = ["size", "condition", "material"];

/// The request that makes a change.
pub(super) struct Request {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Request {
    pub(super) fn call(&self) -> Call<'_> {
        Call {
            method: self.method.clone(),
            path: &self.path,
            query: Vec::new(),
            payload: self.body.clone().map_or(Payload::Nothing, Payload::Json),
        }
    }
}

impl Browserless {
    pub(super) async fn open_for_change(
        &self,
        remote_id: &str,
        kind: ChangeKind,
        steps: &dyn StepObserver,
    ) -> Result<(Filled, Request), Error> {
        let signed_in = self.session.signed_in().await?;
        self.step(steps, FillStep::SignedIn, &signed_in.member.login)
            .await?;
        let item = self.session.item_json(remote_id).await?;
        let item = item.filter(|item| item["is_draft"] != true);
        let item = item.ok_or_else(|| Error::NotFound {
            remote_id: remote_id.to_owned(),
        })?;
        self.step(steps, FillStep::FormOpened, "without a browser")
            .await?;
        let (shown, request) = match kind {
            ChangeKind::Edit => {
                let edited = self.edited(remote_id, &item, steps).await?;
                let mut body = self.wrapped(edited.clone());
                if let Some(body) = body.as_object_mut() {
                    body.remove("draft");
                    body.insert("item".to_owned(), edited.clone());
                }
                let path = format!("item_upload/items/{remote_id}");
                (edited, put(path, body))
            }
            ChangeKind::Hide | ChangeKind::Unhide => {
                let body = json!({ "is_hidden": kind == ChangeKind::Hide });
                (item, put(format!("items/{remote_id}/is_hidden"), body))
            }
            ChangeKind::Delete => {
                let request = Request {
                    method: Method::POST,
                    path: format!("items/{remote_id}/delete"),
                    body: None,
                };
                (item, request)
            }
        };
        let evidence = self.evidence(&format!("/items/{remote_id}/edit"), &shown);
        let read_back = self.read_back(&shown, kind);
        if kind == ChangeKind::Edit {
            reading::mismatch(&read_back, &evidence)?;
        }
        self.step(steps, FillStep::ReadBack, "").await?;
        self.step(steps, FillStep::ScreenshotTaken, "none without a browser")
            .await?;
        Ok((Filled { read_back, evidence }, request))
    }

    /// Builds the complete item as the form would send it.
    async fn edited(&self, remote_id: &str, item: &Value, steps: &dyn StepObserver) -> Result<Value, Error> {
        let content = &self.request.content;
        let photo_ids = if self.request.keeps_photos {
            let photos = item["photos"].as_array().map(Vec::as_slice).unwrap_or_default();
            photos.iter().filter_map(|photo| text::id(&photo["id"])).collect()
        } else {
            let ids = self.upload_photos().await?;
            self.step(steps, FillStep::PhotosUploaded, &ids.len().to_string())
                .await?;
            ids
        };
        let before = reading::of_item(content, item);
        for (field, step) in FIELD_STEPS {
            let changes = |reading: &&FieldReading| reading.field == field.name() && !reading.matches;
            if let Some(reading) = before.iter().find(changes) {
                self.step(steps, step, &reading.approved).await?;
            }
        }
        let mut edited = draft(content, &photo_ids, Some(remote_id), &self.upload_session_id);
        for name in UNCHANGED {
            if !item[name].is_null() {
                edited[name] = item[name].clone();
            }
        }
        if content.brand.is_none()
            && let Some(name) = custom_brand(item)
        {
            edited["brand"] = json!(name);
        }
        let attributes = item["item_attributes"].as_array().into_iter().flatten();
        let others = attributes.filter(|each| {
            let code = each["code"].as_str().unwrap_or_default();
            !OWN_ATTRIBUTES.contains(&code)
        });
        if let Some(own) = edited["item_attributes"].as_array_mut() {
            own.extend(others.cloned());
        }
        Ok(edited)
    }

    /// Reads the item back. If its photos stay, their number on the site counts as approved.
    fn read_back(&self, shown: &Value, kind: ChangeKind) -> Vec<FieldReading> {
        let mut readings = reading::of_item(&self.request.content, shown);
        if self.request.keeps_photos || kind != ChangeKind::Edit {
            let photos = readings
                .iter_mut()
                .find(|each| each.field == Field::Photos.name());
            if let Some(photos) = photos {
                photos.approved.clone_from(&photos.seen);
                photos.matches = true;
            }
        }
        readings
    }
}

/// Returns the name of an item's custom brand, which has no id on the site and is sent by its name. A name for "no
/// brand" does not count: if it were sent, the site would make a brand of it.
fn custom_brand(item: &Value) -> Option<&str> {
    let name = item["brand"].as_str().filter(|_| item["brand_id"].is_null());
    name.filter(|name| !name.is_empty() && !is_no_brand(name))
}

fn put(path: String, body: Value) -> Request {
    Request {
        method: Method::PUT,
        path,
        body: Some(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_brand_is_kept_unless_it_says_no_brand() {
        for (item, expected) in [
            (
                json!({ "brand_id": null, "brand": "Atelier Lin" }),
                Some("Atelier Lin"),
            ),
            (json!({ "brand": "Atelier Lin" }), Some("Atelier Lin")),
            (json!({ "brand_id": 53, "brand": "Nike" }), None),
            (json!({ "brand_id": null, "brand": "Sans marque" }), None),
            (json!({ "brand_id": null, "brand": "Ohne Marke" }), None),
            (json!({ "brand_id": null, "brand": "" }), None),
            (json!({ "brand_id": null, "brand": null }), None),
        ] {
            assert_eq!(custom_brand(&item), expected, "{item}");
        }
    }
}
