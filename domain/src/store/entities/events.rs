//! The event log.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    pub time: i64,
    pub kind: crate::events::Kind,
    pub resource_type: crate::events::ResourceType,
    pub resource_id: String,
    pub account_id: Option<String>,
    pub payload: String,
    pub thread_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
