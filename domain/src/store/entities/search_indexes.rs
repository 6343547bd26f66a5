//! How far each owner's search index is.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_indexes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub owner_id: String,
    /// Stands for the owner in the index.
    pub number: i64,
    /// The way of folding that it was made with.
    pub version: i64,
    pub phase: crate::search::Phase,
    /// The last thing that was indexed in this phase.
    pub place: String,
    pub done: i64,
    pub total: i64,
    pub update_time: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
