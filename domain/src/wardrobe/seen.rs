//! What a listing's row remembers of its item on the site.

use serde::{Deserialize, Serialize};
use vintedbot_marketplace::OwnItem;

use super::compare::{Difference, Photos, Said};
use crate::Result;
use crate::listings::Listing;
use crate::store::entities::listings;

/// The item as it was last read, and what of it is known to be so here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    pub item: Option<OwnItem>,
    /// Which photos there are those of the listing here.
    pub pairing: Option<Pairing>,
    /// Our copies of the photos of `item`, where they are others than the listing's and could be fetched.
    pub fetched: Option<Vec<String>>,
    /// Whether it is known here that the item is closed.
    pub closed: bool,
}

/// The photos of a listing and those of its item, which show the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// As the site calls them.
    pub there: Vec<String>,
    /// Our photos' ids.
    pub here: Vec<String>,
}

impl Seen {
    pub fn of(row: &listings::Model) -> Self {
        let text = row.remote_seen.as_deref();
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    pub(super) fn write(&self, row: &mut listings::Model) -> Result<()> {
        row.remote_seen = Some(serde_json::to_string(self)?);
        Ok(())
    }

    /// What the listing says, in a form that can be compared with its item.
    pub fn said(&self, listing: &Listing) -> Said {
        let photos = match &self.pairing {
            Some(pairing) if pairing.here == listing.photo_ids => Photos::Are(pairing.there.clone()),
            Some(pairing) => Photos::New {
                count: listing.photo_ids.len(),
                old: pairing.there.clone(),
            },
            None => Photos::Count(listing.photo_ids.len()),
        };
        let listing = listing.clone();
        Said {
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

/// The differences that a row shows.
pub fn differences(row: &listings::Model) -> Vec<Difference> {
    serde_json::from_str(&row.remote_differences).unwrap_or_default()
}
