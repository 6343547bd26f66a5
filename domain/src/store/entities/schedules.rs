//! Schedules and the outcome of their last run.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedules")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub interval_ms: i64,
    pub enabled: bool,
    pub next_run: i64,
    pub last_run: Option<i64>,
    pub last_outcome: Option<String>,
    pub last_message: Option<String>,
    /// The daily time, such as `02:00`, that replaces the interval.
    pub daily_at: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
