//! The inbox sync state of each account.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inbox_syncs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub site: String,
    /// The time up to which all changes on the site are stored.
    pub watermark: i64,
    /// The time of the last full reading.
    pub full_time: Option<i64>,
    pub last_read_time: Option<i64>,
    pub next_read_time: Option<i64>,
    pub late_reason: Option<String>,
    pub late_message: Option<String>,
    /// JSON list of the times in the last minute at which a caller requested a sync.
    pub asked: String,
    /// The member whose inbox was read. The inbox of another member is read from the beginning.
    pub member_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
