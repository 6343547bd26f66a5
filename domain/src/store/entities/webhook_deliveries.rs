//! One event on its way to one endpoint.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub owner_id: String,
    pub endpoint_id: String,
    /// The same on every repeat.
    pub webhook_id: String,
    /// Absent: a test.
    pub event_sequence: Option<i64>,
    pub event_type: String,
    pub event_time: i64,
    pub resource_type: Option<crate::events::ResourceType>,
    pub body: String,
    pub state: crate::webhooks::DeliveryState,
    /// How often it was claimed, which numbers the attempts and tells one holder from the next.
    pub attempts: i64,
    /// Failures since it was last begun.
    pub failures: i64,
    /// From when on it may be claimed: while somebody sends it, the end of their lease.
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
