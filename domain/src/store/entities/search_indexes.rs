//! The state of each workspace's search index.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_indexes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: String,
    /// The number that represents the workspace in the index.
    pub number: i64,
    /// The version of the text folding that the index was built with.
    pub version: i64,
    pub phase: crate::search::Phase,
    /// The id of the last record that was indexed in this phase.
    pub position: String,
    pub done: i64,
    pub total: i64,
    pub update_time: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
