//! The remote snapshot: the item on the site as stored with its listing.

use serde::{Deserialize, Serialize};
use vintedbot_marketplace::OwnItem;

use super::compare::{DesiredItem, Difference, Photos};
use crate::Result;
use crate::listings::Listing;
use crate::store::entities::listings;

/// The item as it was last read, and the state that is known here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemoteSnapshot {
    pub item: Option<OwnItem>,
    /// The correspondence of the item's photos to the listing's.
    pub photo_mapping: Option<PhotoMapping>,
    /// Our copies of the photos of `item`, if these differ from the listing's and could be fetched.
    pub fetched: Option<Vec<String>>,
    /// Whether the listing already reflects that the item is closed.
    pub closed: bool,
}

/// The photos of a listing and the equal photos of its item, in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhotoMapping {
    /// The photo ids on the site.
    pub remote_photo_ids: Vec<String>,
    /// The ids of our photos.
    pub photo_ids: Vec<String>,
}

impl RemoteSnapshot {
    pub fn of(row: &listings::Model) -> Self {
        let text = row.remote_snapshot.as_deref();
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    pub(super) fn write(&self, row: &mut listings::Model) -> Result<()> {
        row.remote_snapshot = Some(serde_json::to_string(self)?);
        Ok(())
    }

    /// Returns the listing as a desired state that can be compared with its item.
    pub fn desired(&self, listing: &Listing) -> DesiredItem {
        let photos = match &self.photo_mapping {
            Some(photo_mapping) if photo_mapping.photo_ids == listing.photo_ids => {
                Photos::Are(photo_mapping.remote_photo_ids.clone())
            }
            Some(photo_mapping) => Photos::New {
                count: listing.photo_ids.len(),
                old: photo_mapping.remote_photo_ids.clone(),
            },
            None => Photos::Count(listing.photo_ids.len()),
        };
        let listing = listing.clone();
        DesiredItem {
            title: listing.title,
            description: listing.description,
            price: listing.price,
            category: listing.category,
            brand: listing.brand,
            size: listing.size,
            condition: listing.condition,
            colors: listing.colors,
            materials: listing.materials,
            package_size: listing.package_size,
            photos,
            hidden: listing.remote.as_ref().map(|remote| remote.hidden),
            closed: Some(self.closed),
        }
    }
}

/// Decodes the differences of a row.
pub fn differences(row: &listings::Model) -> Vec<Difference> {
    serde_json::from_str(&row.remote_differences).unwrap_or_default()
}
