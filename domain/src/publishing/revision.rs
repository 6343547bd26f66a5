//! What is approved: an immutable, canonical text of everything that the site is told, and its hash.

use serde::{Deserialize, Serialize};
use vintedbot_marketplace::{ChangeKind, ItemContent};

use crate::keys::sha256_hex;
use crate::store::entities::listings;
use crate::wardrobe::Said;
use crate::{Error, Result};

/// A frozen listing. Its JSON, with the fields in this order, is the canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Raised when the encoding changes.
    pub version: u32,
    pub owner_id: String,
    pub account_id: String,
    pub site: String,
    pub listing_id: String,
    pub content: ItemContent,
    /// What is done to an item that is on the site already; absent for a publication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// A change of an item that is on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: ChangeKind,
    /// The item's id there.
    pub remote_id: String,
    /// Whether its photos stay as they are.
    pub keeps_photos: bool,
    /// Whether what was changed on the site since is overwritten.
    pub overwrite_remote: bool,
    /// What the listing said when the change was frozen, which is what the site is believed to have.
    pub before: Said,
    /// What the item will say; of its photos, as far as it is known.
    pub after: Said,
    /// Ids of our photos of it, in order.
    pub photo_ids: Vec<String>,
}

impl Revision {
    /// The canonical text and its SHA-256.
    pub fn freeze(&self) -> Result<(String, String)> {
        let text = serde_json::to_string(self)?;
        let hash = sha256_hex(&text);
        Ok((text, hash))
    }

    /// Reads a frozen revision back, checking it against its hash.
    pub fn thaw(text: &str, hash: &str) -> Result<Self> {
        if sha256_hex(text) != hash {
            return Err(Error::Internal(
                "a stored revision does not have its hash".to_owned(),
            ));
        }
        Ok(serde_json::from_str(text)?)
    }
}

/// Hash of everything in a listing that a person can edit, to tell whether it was edited since it was frozen.
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
