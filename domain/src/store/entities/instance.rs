//! The instance: one row that identifies the database and its event log.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "instance")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The id before the database was restored or copied.
    pub previous_id: Option<String>,
    pub log_epoch: String,
    pub oldest_program: String,
    pub create_time: i64,
    /// The id of the move that this database is part of.
    pub move_id: Option<String>,
    pub move_state: Option<crate::transfer::MoveState>,
    /// The other database of the move: the target if this is the source, the source if this is the target.
    #[sea_orm(column_name = "move_place")]
    pub move_target: Option<String>,
    /// The id of the key that seals and signs.
    pub key_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
