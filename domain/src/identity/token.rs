//! An API token as others see it.

use serde::{Deserialize, Serialize};

use super::Scopes;
use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::api_tokens;

/// An API token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    pub id: String,
    pub owner_id: String,
    pub name: String,
    pub scopes: Scopes,
    pub create_time: Millis,
    /// From when on it is refused; never where absent.
    pub expire_time: Option<Millis>,
    /// To about a minute.
    pub last_use_time: Option<Millis>,
    pub revoke_time: Option<Millis>,
    pub sequence: i64,
    /// The token that it was made with, or that took that one's place.
    #[serde(default)]
    pub parent_id: Option<String>,
}

impl From<api_tokens::Model> for ApiToken {
    fn from(row: api_tokens::Model) -> Self {
        Self {
            // Scopes that this program does not know allow nothing.
            scopes: serde_json::from_str(&row.scopes).unwrap_or_default(),
            id: row.id,
            owner_id: row.owner_id,
            name: row.name,
            create_time: row.create_time,
            expire_time: row.expire_time,
            last_use_time: row.last_use_time,
            revoke_time: row.revoke_time,
            sequence: row.sequence,
            parent_id: row.parent_id,
        }
    }
}

impl Resource for ApiToken {
    const TYPE: ResourceType = ResourceType::ApiToken;
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
