//! A listing as others see it.

use serde::{Deserialize, Serialize};
use vintedbot_marketplace::{Money, Named, OwnItem};

use super::ListingState;
use super::row::ChoiceNames;
use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::listings;
use crate::wardrobe::{Difference, Seen, seen::differences};

/// One thing for sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub id: String,
    pub owner_id: String,
    pub account_id: String,
    pub state: ListingState,
    /// Empty: not given yet.
    pub title: String,
    /// Empty: not given yet.
    pub description: String,
    pub price: Option<Money>,
    /// A leaf, with its path as name.
    pub category: Option<Named>,
    pub brand: Option<Named>,
    pub size: Option<Named>,
    pub condition: Option<Named>,
    /// The main one first.
    pub colors: Vec<Named>,
    pub materials: Vec<Named>,
    pub package_size: Option<Named>,
    /// In order; the first is the main one.
    pub photo_ids: Vec<String>,
    pub remote: Option<Remote>,
    /// What is remembered of the item, for the rules; not told to anybody.
    #[serde(skip)]
    pub seen: Option<Seen>,
    /// The publish job that has not ended.
    pub active_publish_job_id: Option<String>,
    pub create_time: Millis,
    pub update_time: Millis,
    pub sequence: i64,
}

/// The item on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    pub item_id: String,
    pub url: String,
    /// When its publication was made sure of.
    pub publish_time: Option<Millis>,
    /// As last seen.
    pub hidden: bool,
    /// As last seen.
    pub under_review: bool,
    /// `practice`, or the market's site such as `vinted.fr`.
    pub site: String,
    /// What was seen on the site and is not so here.
    #[serde(default)]
    pub differences: Vec<Difference>,
    #[serde(default)]
    pub read_time: Option<Millis>,
    /// As last seen: sold, or taken off by the site.
    #[serde(default)]
    pub closed: bool,
    /// As last seen.
    #[serde(default)]
    pub reserved: bool,
    /// As last seen: only a draft there.
    #[serde(default)]
    pub draft: bool,
}

impl From<listings::Model> for Listing {
    fn from(row: listings::Model) -> Self {
        let names = ChoiceNames::of(&row);
        let seen = row.remote_seen.as_ref().map(|_| Seen::of(&row));
        let last = seen.as_ref().and_then(|seen| seen.item.as_ref());
        let is = |flag: fn(&OwnItem) -> bool| last.is_some_and(flag);
        let (closed, reserved) = (is(|item| item.is_closed), is(|item| item.is_reserved));
        let draft = row.state == ListingState::Draft && is(|item| item.is_draft);
        let differences = differences(&row);
        let list = |ids: &str, names: Vec<String>| -> Vec<Named> {
            let ids: Vec<i64> = serde_json::from_str(ids).unwrap_or_default();
            let mut names = names.into_iter();
            ids.into_iter()
                .map(|id| Named {
                    id,
                    name: names.next().unwrap_or_default(),
                })
                .collect()
        };
        let one = |id: Option<i64>, name: Option<String>| {
            id.map(|id| Named {
                id,
                name: name.unwrap_or_default(),
            })
        };
        let currency = row.currency;
        Self {
            price: row.price_minor_units.map(|minor_units| Money {
                minor_units,
                currency,
            }),
            category: one(row.category_id, names.category),
            brand: one(row.brand_id, names.brand),
            size: one(row.size_id, names.size),
            condition: one(row.condition_id, names.condition),
            colors: list(&row.color_ids, names.colors),
            materials: list(&row.material_ids, names.materials),
            package_size: one(row.package_size_id, names.package_size),
            photo_ids: serde_json::from_str(&row.photo_ids).unwrap_or_default(),
            remote: row.remote_item_id.map(|item_id| Remote {
                item_id,
                url: row.remote_url.unwrap_or_default(),
                publish_time: row.publish_time,
                hidden: row.hidden,
                under_review: row.under_review,
                site: row.remote_site.unwrap_or_default(),
                differences,
                read_time: row.remote_read_time,
                closed,
                reserved,
                draft,
            }),
            seen,
            id: row.id,
            owner_id: row.owner_id,
            account_id: row.account_id,
            state: row.state,
            title: row.title,
            description: row.description,
            active_publish_job_id: row.active_publish_job_id,
            create_time: row.create_time,
            update_time: row.update_time,
            sequence: row.sequence,
        }
    }
}

impl Resource for Listing {
    const TYPE: ResourceType = ResourceType::Listing;
    fn id(&self) -> &str {
        &self.id
    }
    fn owner_id(&self) -> &str {
        &self.owner_id
    }
    fn account_id(&self) -> Option<&str> {
        Some(&self.account_id)
    }
}
