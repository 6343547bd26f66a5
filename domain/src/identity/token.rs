//! The API token resource.

use serde::{Deserialize, Serialize};

use super::Scopes;
use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::api_tokens;

/// An API token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    pub id: String,
    pub workspace_id: String,
    pub name: String,
    pub scopes: Scopes,
    pub create_time: Millis,
    /// The time from which the token is refused. Absent: never.
    pub expire_time: Option<Millis>,
    /// The last use, accurate to about a minute. Absent: never used.
    pub last_use_time: Option<Millis>,
    pub revoke_time: Option<Millis>,
    pub sequence: i64,
    /// The token that this token was created with, or that token's successor, or the person who created this token.
    /// Absent: the instance's first token.
    #[serde(default)]
    pub parent_id: Option<String>,
}

impl From<api_tokens::Model> for ApiToken {
    fn from(row: api_tokens::Model) -> Self {
        Self {
            // If this version does not know a scope, the token has no scopes at all.
            scopes: serde_json::from_str(&row.scopes).unwrap_or_default(),
            id: row.id,
            workspace_id: row.workspace_id,
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
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        None
    }
}
