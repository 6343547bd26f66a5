//! The steps of publish jobs.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "publish_steps")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub publish_job_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub time: i64,
    pub attempt: i64,
    pub step: String,
    pub outcome: String,
    pub message: String,
    pub screenshot_key: Option<String>,
    pub screenshot_bytes: Option<i64>,
    pub page_text_key: Option<String>,
    pub selector: Option<String>,
    pub thumbnail_key: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
