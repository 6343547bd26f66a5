//! Worker processes, past and present.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The name that an operator gave the worker, unique among live workers.
    pub name: Option<String>,
    pub host: String,
    pub pid: i64,
    pub start_ticks: i64,
    pub state: crate::jobs::WorkerState,
    pub start_time: i64,
    pub heartbeat_time: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
