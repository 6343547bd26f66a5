//! Marketplace accounts.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub display_name: String,
    pub market: String,
    pub site: String,
    pub language: String,
    pub mode: crate::accounts::Mode,
    pub state: crate::accounts::AccountState,
    pub pause_reason: Option<String>,
    pub pause_message: Option<String>,
    pub pause_time: Option<i64>,
    pub pause_publish_job_id: Option<String>,
    pub member_id: Option<String>,
    pub member_login: Option<String>,
    pub publish_limit_per_minute: Option<i64>,
    pub create_time: i64,
    pub update_time: i64,
    pub delete_time: Option<i64>,
    pub sequence: i64,
    /// The public data of the session in use on this site, as JSON.
    pub session: Option<String>,
    /// The end of the cooldown.
    pub cooldown_until: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
