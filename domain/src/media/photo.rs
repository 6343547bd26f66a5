//! The public representation of a photo.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::photos;

/// A stored photo. `media::photo_url` returns a path to its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    pub id: String,
    pub workspace_id: String,
    /// The SHA-256 hash of the stored file, in hex.
    pub sha256: String,
    /// The perceptual hash, 16 hexadecimal digits.
    pub perceptual_hash: String,
    /// The width in pixels.
    pub width: i64,
    /// The height in pixels.
    pub height: i64,
    pub size_bytes: i64,
    pub content_type: String,
    /// The file name without folders. Empty if the upload had none.
    pub file_name: String,
    /// The near-duplicates at the time of the upload, closest first.
    pub near_duplicates: Vec<NearDuplicate>,
    pub create_time: Millis,
    pub sequence: i64,
}

/// Another photo that looks almost the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearDuplicate {
    pub photo_id: String,
    /// The number of bits in which the perceptual hashes differ.
    pub distance: u32,
}

impl From<photos::Model> for Photo {
    fn from(row: photos::Model) -> Self {
        Self {
            perceptual_hash: format!("{:016x}", row.perceptual_hash),
            near_duplicates: serde_json::from_str(&row.near_duplicates).unwrap_or_default(),
            id: row.id,
            workspace_id: row.workspace_id,
            sha256: row.sha256,
            width: row.width,
            height: row.height,
            size_bytes: row.size_bytes,
            content_type: row.content_type,
            file_name: row.file_name,
            create_time: row.create_time,
            sequence: row.sequence,
        }
    }
}

impl Resource for Photo {
    const TYPE: ResourceType = ResourceType::Photo;
    fn id(&self) -> &str {
        &self.id
    }
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        None
    }
}
