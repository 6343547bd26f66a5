//! A photo as others see it.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::photos;

/// A stored photo. Its file is reached through `media::photo_url`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    pub id: String,
    pub owner_id: String,
    /// Of the stored file, in hex.
    pub sha256: String,
    /// 16 hexadecimal digits.
    pub perceptual_hash: String,
    /// In pixels.
    pub width: i64,
    /// In pixels.
    pub height: i64,
    pub size_bytes: i64,
    pub content_type: String,
    /// Without any folder; empty where it came without.
    pub file_name: String,
    /// What looked much the same when it was stored, closest first.
    pub near_duplicates: Vec<NearDuplicate>,
    pub create_time: Millis,
    pub sequence: i64,
}

/// Another photo that looks much the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearDuplicate {
    pub photo_id: String,
    /// In how many bits the perceptual hashes differ.
    pub distance: u32,
}

impl From<photos::Model> for Photo {
    fn from(row: photos::Model) -> Self {
        Self {
            perceptual_hash: format!("{:016x}", row.perceptual_hash),
            near_duplicates: serde_json::from_str(&row.near_duplicates).unwrap_or_default(),
            id: row.id,
            owner_id: row.owner_id,
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
    fn owner_id(&self) -> &str {
        &self.owner_id
    }
    fn account_id(&self) -> Option<&str> {
        None
    }
}
