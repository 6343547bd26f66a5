//! Webhook deliveries: one row per event and endpoint.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    pub endpoint_id: String,
    /// The `webhook-id`, which is the same at each attempt.
    pub webhook_id: String,
    /// The sequence of the event. `None`: the delivery is a test.
    pub event_sequence: Option<i64>,
    pub event_type: String,
    pub event_time: i64,
    pub resource_type: Option<crate::events::ResourceType>,
    pub body: String,
    pub state: crate::webhooks::DeliveryState,
    /// The number of claims. It numbers the attempts and identifies the current holder.
    pub attempts: i64,
    /// The number of failures since the delivery was created, replayed or resumed.
    pub failures: i64,
    /// The time from which the delivery may be claimed. While a worker holds it, this is the end of the lease.
    pub due_time: i64,
    pub last_status: Option<i64>,
    pub create_time: i64,
    pub update_time: i64,
    pub end_time: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl Related<super::webhook_attempts::Entity> for Entity {
    fn to() -> RelationDef {
        super::webhook_attempts::Relation::Delivery.def().rev()
    }
}

impl ActiveModelBehavior for ActiveModel {}
