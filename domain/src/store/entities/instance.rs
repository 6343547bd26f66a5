//! This database and its event log: one row.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "instance")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// What it was before this database was found restored or copied.
    pub previous_id: Option<String>,
    pub log_epoch: String,
    pub oldest_program: String,
    pub create_time: i64,
    /// A move that this database is part of: which, and where it goes to or comes from.
    pub move_id: Option<String>,
    pub move_state: Option<crate::transfer::MoveState>,
    pub move_place: Option<String>,
    /// The key that seals and signs.
    pub key_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
