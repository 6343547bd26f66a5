//! Jobs. The row is authoritative; the queue only carries notifications.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: Option<String>,
    pub kind: crate::jobs::Kind,
    pub account_id: Option<String>,
    pub subject_id: Option<String>,
    pub state: crate::jobs::State,
    pub priority: i64,
    pub due_time: i64,
    pub claims: i64,
    pub failures: i64,
    pub claim_epoch: i64,
    pub lease_until: Option<i64>,
    pub worker_id: Option<String>,
    pub unique_key: Option<String>,
    pub payload: String,
    pub outcome: Option<String>,
    pub error: Option<String>,
    pub create_time: i64,
    pub update_time: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
