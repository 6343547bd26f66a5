//! Sessions on the site, sealed: per account and site the one in use, and one that is being tried.

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
    pub owner_id: String,
    pub state: crate::accounts::SessionState,
    pub generation: i64,
    /// Cookies and user agent, encrypted. Empty: erased, because they are of no use any more.
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
    /// When a renewal was begun whose end is not written down.
    pub refresh_started: Option<i64>,
    /// Who began it: the holder of the account's lock, and the lock's epoch.
    pub refresh_holder: Option<String>,
    /// Whether the tokens of before were tried once after such a renewal.
    pub retried: bool,
    /// The job that tries a candidate.
    pub job_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
