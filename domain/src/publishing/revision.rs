//! The revision: an immutable, canonical encoding of all content that a publish job writes on the site, and its hash.

use serde::{Deserialize, Serialize};
use vintedbot_marketplace::{ChangeKind, ItemContent};

use crate::keys::sha256_hex;
use crate::store::entities::listings;
use crate::wardrobe::DesiredItem;
use crate::{Error, Result};

/// A frozen listing. Its JSON, with the fields in this order, is the canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The version of the encoding.
    pub version: u32,
    // Revisions frozen before 0.2 contain it as `owner_id`.
    #[serde(alias = "owner_id")]
    pub workspace_id: String,
    pub account_id: String,
    pub site: String,
    pub listing_id: String,
    pub content: ItemContent,
    /// The change of an item that is already on the site. Absent for a publication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// A change of an item on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: ChangeKind,
    /// The item's id on the site.
    pub remote_id: String,
    /// Whether the item's photos stay unchanged.
    pub keeps_photos: bool,
    /// Whether changes made on the site since the last reading are overwritten.
    pub overwrite_remote: bool,
    /// The content of the listing when the change was frozen, which the site is assumed to have.
    pub before: DesiredItem,
    /// The desired content; photos as far as they are known.
    pub after: DesiredItem,
    /// Ids of the listing's photos, in order.
    pub photo_ids: Vec<String>,
}

impl Revision {
    /// Returns the canonical text and its SHA-256 hash.
    pub fn encode(&self) -> Result<(String, String)> {
        let text = serde_json::to_string(self)?;
        let hash = sha256_hex(&text);
        Ok((text, hash))
    }

    /// Decodes a revision after checking its hash.
    ///
    /// # Errors
    /// `Internal` if the text does not match the hash or is not a revision.
    pub fn decode(text: &str, hash: &str) -> Result<Self> {
        if sha256_hex(text) != hash {
            return Err(Error::Internal(
                "a stored revision does not match its hash".to_owned(),
            ));
        }
        Ok(serde_json::from_str(text)?)
    }
}

/// Returns the hash of all editable fields of a listing. It shows whether the listing was edited after it was frozen.
pub fn listing_hash(row: &listings::Model) -> Result<String> {
    let editable = (
        (&row.title, &row.description, row.price_minor_units, &row.currency),
        (
            row.category_id,
            row.brand_id,
            row.size_id,
            row.condition_id,
            row.package_size_id,
        ),
        (&row.color_ids, &row.material_ids, &row.photo_ids, &row.account_id),
    );
    Ok(sha256_hex(serde_json::to_string(&editable)?))
}
