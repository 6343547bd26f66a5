//! A reusable reply text.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::templates;

/// A reusable reply text with variables that are filled from a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub id: String,
    pub workspace_id: String,
    pub name: String,
    pub text: String,
    pub create_time: Millis,
    pub update_time: Millis,
    pub sequence: i64,
}

impl Template {
    /// Returns the names of the text's variables, each once, in alphabetical order.
    pub fn variables(&self) -> Vec<String> {
        variables(&self.text)
    }
}

/// Returns the names in double braces, each once, in alphabetical order.
pub fn variables(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}"))
        .map(|(name, _)| name.trim().to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

impl From<templates::Model> for Template {
    fn from(row: templates::Model) -> Self {
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            name: row.name,
            text: row.text,
            create_time: row.create_time,
            update_time: row.update_time,
            sequence: row.sequence,
        }
    }
}

impl Resource for Template {
    const TYPE: ResourceType = ResourceType::Template;
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
