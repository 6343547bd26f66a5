//! The listing resource.

use serde::{Deserialize, Serialize};
use vintedbot_marketplace::{Money, Named, OwnItem};

use super::ListingState;
use super::row::ChoiceNames;
use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::listings;
use crate::wardrobe::{Difference, RemoteSnapshot, snapshot::differences};

/// An article for sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub state: ListingState,
    /// Empty: not set.
    pub title: String,
    /// Empty: not set.
    pub description: String,
    pub price: Option<Money>,
    /// A leaf category; its name is its path.
    pub category: Option<Named>,
    pub brand: Option<Named>,
    pub size: Option<Named>,
    pub condition: Option<Named>,
    /// The main colour first.
    pub colors: Vec<Named>,
    pub materials: Vec<Named>,
    pub package_size: Option<Named>,
    /// In order; the first is the main photo.
    pub photo_ids: Vec<String>,
    pub remote: Option<Remote>,
    /// The remote snapshot. It is used internally and not part of the resource.
    #[serde(skip)]
    pub remote_snapshot: Option<RemoteSnapshot>,
    /// The unfinished publish job, if there is one.
    pub active_publish_job_id: Option<String>,
    pub create_time: Millis,
    pub update_time: Millis,
    pub sequence: i64,
}

/// The listing's item on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    pub item_id: String,
    pub url: String,
    /// The time at which its publication was verified.
    pub publish_time: Option<Millis>,
    /// As of the last reading.
    pub hidden: bool,
    /// As of the last reading.
    pub under_review: bool,
    /// `practice`, or the market's site such as `vinted.fr`.
    pub site: String,
    /// The fields in which the item differs from the listing.
    #[serde(default)]
    pub differences: Vec<Difference>,
    #[serde(default)]
    pub read_time: Option<Millis>,
    /// As of the last reading: sold, or removed by the site.
    #[serde(default)]
    pub closed: bool,
    /// As of the last reading.
    #[serde(default)]
    pub reserved: bool,
    /// As of the last reading: only a draft on the site.
    #[serde(default)]
    pub draft: bool,
}

impl From<listings::Model> for Listing {
    fn from(row: listings::Model) -> Self {
        let names = ChoiceNames::of(&row);
        let snapshot = row.remote_snapshot.as_ref().map(|_| RemoteSnapshot::of(&row));
        let last = snapshot.as_ref().and_then(|snapshot| snapshot.item.as_ref());
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
            remote_snapshot: snapshot,
            id: row.id,
            workspace_id: row.workspace_id,
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
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        Some(&self.account_id)
    }
}
