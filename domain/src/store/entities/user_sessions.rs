//! Sessions of people who signed in. The tokens of a session are derived from its row, not stored.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub user_id: String,
    pub device: String,
    pub address: String,
    /// The number of refreshes.
    pub generation: i64,
    /// The time of the last refresh, or of the sign-in.
    pub rotate_time: i64,
    pub create_time: i64,
    pub last_use_time: i64,
    pub expire_time: i64,
    pub revoke_time: Option<i64>,
    pub sequence: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
