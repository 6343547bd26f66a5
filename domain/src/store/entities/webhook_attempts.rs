//! One request that carried a delivery, and what came back.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: String,
    /// The claim that it was made under. A number that is missing is an attempt whose end nobody wrote down.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub url: String,
    pub time: i64,
    pub duration_ms: i64,
    pub request_headers: String,
    /// Absent: no answer came.
    pub status: Option<i64>,
    pub response_headers: String,
    pub response_body: String,
    pub truncated: bool,
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::webhook_deliveries::Entity",
        from = "Column::DeliveryId",
        to = "super::webhook_deliveries::Column::Id"
    )]
    Delivery,
}

impl ActiveModelBehavior for ActiveModel {}
