//! Form sessions, with the data that a successor needs to end them.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "listing_form_sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub publish_job_id: String,
    pub account_id: String,
    pub claim_epoch: i64,
    pub identity: String,
    pub worker_id: String,
    pub state: crate::publishing::FormSessionState,
    pub create_time: i64,
    pub end_time: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
