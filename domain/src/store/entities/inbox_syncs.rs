//! How far each account's inbox has been read.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "inbox_syncs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub site: String,
    /// Everything that the site changed up to this time is here.
    pub watermark: i64,
    /// When every page was last read.
    pub full_time: Option<i64>,
    pub last_read_time: Option<i64>,
    pub next_read_time: Option<i64>,
    pub late_reason: Option<String>,
    pub late_message: Option<String>,
    /// JSON list of the times of the last minute at which somebody asked for a reading.
    pub asked: String,
    /// Whose inbox it was; another member's is read from the beginning.
    pub member_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
