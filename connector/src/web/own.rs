//! Reads an own item with everything that its owner can change.

use serde_json::Value;
use vintedbot_marketplace::{Error, OwnItem, RemoteItem, RemotePhoto};

use super::WebSession;
use crate::text;

impl WebSession {
    /// Returns one own item; `None` if the site reports that it does not exist.
    pub(crate) async fn own_item(
        &self,
        remote_id: &str,
        listed: Option<&RemoteItem>,
    ) -> Result<Option<OwnItem>, Error> {
        let Some(json) = self.item_json(remote_id).await? else {
            return Ok(None);
        };
        let mut item = self.read_own(&json)?;
        let lacks = |flag: &str| json[flag].as_bool().is_none();
        if lacks("is_hidden") || lacks("is_closed") {
            // The wardrobe always has these flags (as seen 2026, confidence A); the form's answer may lack them.
            let wardrobe = match listed {
                Some(listed) => vec![listed.clone()],
                None => self.wardrobe().await?,
            };
            if let Some(listed) = wardrobe.iter().find(|listed| listed.id == item.id) {
                item.is_hidden = listed.is_hidden;
                item.is_closed = listed.is_closed;
            }
        }
        Ok(Some(item))
    }

    fn read_own(&self, json: &Value) -> Result<OwnItem, Error> {
        let missing = |field: &str| Error::Shape(format!("an own item without {field}"));
        let id = text::id(&json["id"]).ok_or_else(|| missing("id"))?;
        let is_draft = json["is_draft"].as_bool().ok_or_else(|| missing("is_draft"))?;
        let price = text::money(&json["price"], json["currency"].as_str());
        let title = json["title"].as_str();
        if !is_draft && (price.is_none() || title.is_none()) {
            return Err(missing("title and price"));
        }
        let flag = |name: &str| json[name].as_bool().unwrap_or(false);
        let photos = json["photos"].as_array().map(Vec::as_slice).unwrap_or_default();
        let brand_id = text::number(&json["brand_id"]).or_else(|| text::number(&json["brand_dto"]["id"]));
        let brand = [&json["brand_dto"]["title"], &json["brand"], &json["brand_title"]]
            .into_iter()
            .find_map(|name| name.as_str().filter(|name| !name.is_empty()));
        Ok(OwnItem {
            title: text::name(&json["title"]),
            description: text::string(&json["description"]),
            price,
            category_id: text::number(&json["catalog_id"]),
            brand_id,
            brand: brand.map(text::cleaned_name),
            size_id: one(json, "size", "size_id"),
            condition_id: one(json, "condition", "status_id"),
            color_ids: colors(json),
            material_ids: attribute(json, "material"),
            package_size_id: text::number(&json["package_size_id"]),
            photos: photos.iter().filter_map(photo).collect(),
            is_draft,
            is_hidden: flag("is_hidden"),
            is_closed: flag("is_closed"),
            is_reserved: flag("is_reserved"),
            url: self
                .base
                .join(&format!("/items/{id}"))
                .map_err(|error| Error::Shape(error.to_string()))?
                .into(),
            id,
        })
    }
}

fn attribute(json: &Value, code: &str) -> Vec<i64> {
    let all = json["item_attributes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let of_code = all.iter().filter(|each| each["code"] == code);
    let ids = of_code.filter_map(|each| each["ids"].as_array());
    ids.flatten().filter_map(text::number).collect()
}

/// Older answers name size and condition at the top level (as seen 2026, confidence A).
fn one(json: &Value, code: &str, older: &str) -> Option<i64> {
    attribute(json, code)
        .first()
        .copied()
        .or_else(|| text::number(&json[older]))
}

fn colors(json: &Value) -> Vec<i64> {
    let ids = json["color_ids"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if ids.is_empty() {
        let older = ["color1_id", "color2_id"].iter();
        older.filter_map(|name| text::number(&json[*name])).collect()
    } else {
        ids.iter().filter_map(text::number).collect()
    }
}

fn photo(json: &Value) -> Option<RemotePhoto> {
    let url = ["full_size_url", "url"]
        .iter()
        .find_map(|name| json[*name].as_str().filter(|url| !url.is_empty()));
    Some(RemotePhoto {
        id: text::id(&json["id"])?,
        url: url.map(str::to_owned),
    })
}
