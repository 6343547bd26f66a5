//! Sealed sessions on the site: per account and site the session in use and a candidate that is being checked.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub site: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: crate::accounts::SessionSlot,
    pub workspace_id: String,
    pub state: crate::accounts::SessionState,
    pub generation: i64,
    /// Cookies and user agent, sealed. Empty: erased, because the session can no longer be used.
    pub sealed: String,
    pub cookie_names: String,
    pub member_id: Option<String>,
    pub member_login: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub import_time: i64,
    pub check_time: Option<i64>,
    pub refresh_time: Option<i64>,
    pub expire_time: Option<i64>,
    /// The start time of an open refresh, whose outcome is not stored.
    pub refresh_started: Option<i64>,
    /// The holder of the account lock that started the refresh, and the lock's epoch.
    pub refresh_holder: Option<String>,
    /// Whether the previous tokens were tried once after an open refresh.
    pub retried: bool,
    /// The job that checks a candidate.
    pub job_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
