//! Reads the logged-in member, and the member's items and drafts on the site.

use std::collections::BTreeSet;

use serde_json::Value;
use vintedbot_marketplace::{Error, Member, Money, RemoteItem};

use super::signin::member_in;
use super::{Call, WebSession};
use crate::text;

/// The largest page that the site returns (as seen 2026, confidence A).
const PER_PAGE: u64 = 96;
/// More pages than any wardrobe has. The limit stops at a list that never ends.
const MOST_PAGES: u64 = 500;

impl WebSession {
    pub(crate) async fn member(&self) -> Result<Member, Error> {
        member_in(&self.json(&Call::get("users/current")).await?)
    }

    /// Returns every item, or an error. In an incomplete reading, an existing item would look deleted.
    pub(crate) async fn wardrobe(&self) -> Result<Vec<RemoteItem>, Error> {
        let member = self.member().await?;
        let path = format!("wardrobe/{}/items", member.id);
        let mut items = Vec::new();
        let mut announced = None;
        for page in 1..=MOST_PAGES {
            let call = Call::get(&path).query("page", page).query("per_page", PER_PAGE);
            let json = self.json(&call.query("order", "relevance")).await?;
            let listed = json["items"]
                .as_array()
                .ok_or_else(|| incomplete("a page without items"))?;
            for item in listed {
                items.push(self.remote_item(item)?);
            }
            let total = json["pagination"]["total_entries"]
                .as_u64()
                .ok_or_else(|| incomplete("no total"))?;
            let pages = json["pagination"]["total_pages"]
                .as_u64()
                .ok_or_else(|| incomplete("no page count"))?;
            if announced.is_some_and(|before| before != total) {
                return Err(Error::Unavailable(
                    "the wardrobe changed while it was read".to_owned(),
                ));
            }
            announced = Some(total);
            if page < pages {
                continue;
            }
            let ids: BTreeSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
            if ids.len() != items.len() || ids.len() as u64 != total {
                return Err(incomplete(&format!("{} of {total} items were listed", ids.len())));
            }
            return Ok(items);
        }
        Err(incomplete("the list does not end"))
    }

    pub(crate) async fn item(&self, remote_id: &str) -> Result<Option<RemoteItem>, Error> {
        self.item_json(remote_id)
            .await?
            .map(|item| self.remote_item(&item))
            .transpose()
    }

    /// Returns all data of an own item that the site sends to its edit page.
    pub(crate) async fn item_json(&self, remote_id: &str) -> Result<Option<Value>, Error> {
        if !is_id(remote_id) {
            return Err(Error::Shape(format!("{remote_id:?} is not an item's id")));
        }
        let path = format!("item_upload/items/{remote_id}");
        let Some(mut json) = self.json_if_there(&Call::get(&path)).await? else {
            return Ok(None);
        };
        let item = json["item"].take();
        if text::id(&item["id"]).as_deref() != Some(remote_id) {
            return Err(Error::Shape(format!("{path} answered with another item")));
        }
        Ok(Some(item))
    }

    fn remote_item(&self, item: &Value) -> Result<RemoteItem, Error> {
        let missing = |field: &str| Error::Shape(format!("an item without {field}"));
        let id = text::id(&item["id"]).ok_or_else(|| missing("id"))?;
        let is_draft = item["is_draft"].as_bool().ok_or_else(|| missing("is_draft"))?;
        let currency = item["currency"].as_str();
        // A draft may have no title and no price yet.
        let unpriced = || {
            is_draft.then(|| Money {
                minor_units: 0,
                currency: currency.unwrap_or_default().to_owned(),
            })
        };
        let title = item["title"].as_str().or(is_draft.then_some(""));
        let price = text::money(&item["price"], currency).or_else(unpriced);
        let photos = item["photos"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(RemoteItem {
            title: text::cleaned_name(title.ok_or_else(|| missing("title"))?),
            price: price.ok_or_else(|| missing("price"))?,
            is_draft,
            is_hidden: item["is_hidden"].as_bool().unwrap_or(false),
            is_closed: item["is_closed"].as_bool().unwrap_or(false),
            url: self
                .base
                .join(&format!("/items/{id}"))
                .map_err(|error| Error::Shape(error.to_string()))?
                .into(),
            photo_ids: photos.iter().filter_map(|photo| text::id(&photo["id"])).collect(),
            description: item["description"].as_str().map(text::cleaned),
            category_id: text::number(&item["catalog_id"]),
            id,
        })
    }
}

/// Whether the text is an id. Ids become part of a path, so only digits are allowed.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn incomplete(what: &str) -> Error {
    Error::Shape(format!("the wardrobe was not read completely: {what}"))
}
