//! Imports an account's wardrobe from the site and detects later changes there.
//!
//! [`import()`] requests a reading. The worker carries it out with [`work`] and [`items`], one transaction per item. An
//! import that was killed starts again and skips the items that are already stored. [`mod@compare`] determines the
//! fields in which an item differs from its listing, [`reading::note`] stores them with the listing, and [`accept()`]
//! applies them.

mod accept;
pub mod compare;
mod import;
pub mod items;
pub mod reading;
pub mod snapshot;
mod vocabulary;
pub mod work;

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

pub use accept::{Accept, accept};
pub use compare::{DesiredItem, Difference, Photos, Words};
pub use import::{ImportWardrobe, get, import, list};
pub use snapshot::RemoteSnapshot;
pub use vocabulary::Vocabulary;

use crate::Reason;
use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::wardrobe_imports;

/// The state of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ImportState {
    Queued,
    Running,
    Done,
    Failed,
}

/// A reading of an account's wardrobe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WardrobeImport {
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub state: ImportState,
    pub total: i64,
    pub done: i64,
    pub created: i64,
    pub differing: i64,
    pub failed: i64,
    pub problems: Vec<String>,
    pub reason: Option<Reason>,
    pub message: String,
    pub create_time: Millis,
    pub end_time: Option<Millis>,
    pub sequence: i64,
}

impl From<wardrobe_imports::Model> for WardrobeImport {
    fn from(row: wardrobe_imports::Model) -> Self {
        Self {
            problems: serde_json::from_str(&row.problems).unwrap_or_default(),
            reason: row.reason.as_deref().and_then(Reason::from_name),
            message: row.message.unwrap_or_default(),
            id: row.id,
            workspace_id: row.workspace_id,
            account_id: row.account_id,
            state: row.state,
            total: row.total,
            done: row.done,
            created: row.created,
            differing: row.differing,
            failed: row.failed,
            create_time: row.create_time,
            end_time: row.end_time,
            sequence: row.sequence,
        }
    }
}

impl Resource for WardrobeImport {
    const TYPE: ResourceType = ResourceType::WardrobeImport;
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
