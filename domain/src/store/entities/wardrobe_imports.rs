//! Wardrobe imports: readings of an account's wardrobe.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wardrobe_imports")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub state: crate::wardrobe::ImportState,
    pub total: i64,
    pub done: i64,
    pub created: i64,
    pub differing: i64,
    pub failed: i64,
    pub problems: String,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub create_time: i64,
    pub end_time: Option<i64>,
    pub sequence: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
