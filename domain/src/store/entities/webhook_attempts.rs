//! Attempts at webhook deliveries: requests and responses.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: String,
    /// The number of the claim. A missing number means an attempt whose outcome was not recorded.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub url: String,
    pub time: i64,
    pub duration_ms: i64,
    pub request_headers: String,
    /// The status of the response. `None`: there was no response.
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
