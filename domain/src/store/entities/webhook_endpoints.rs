//! Where events are sent, and how far in the log each of these has come.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub owner_id: String,
    /// Without its query, which is sealed.
    pub url: String,
    pub description: String,
    /// Empty: all.
    pub event_types: String,
    /// Of whoever said where it leads: what may be told there.
    pub scopes: String,
    pub ordered: bool,
    pub state: crate::webhooks::EndpointState,
    pub disable_reason: Option<crate::webhooks::DisableReason>,
    pub message: Option<String>,
    /// Sealed.
    pub secrets: String,
    /// Until when an earlier secret signs too.
    pub old_secret_expire_time: Option<i64>,
    /// Deliveries are written for the log up to here.
    pub log_position: i64,
    /// Since when nothing but failures came back.
    pub failing_since: Option<i64>,
    pub create_time: i64,
    pub update_time: i64,
    pub sequence: i64,
    /// The token in whose name events are sent. Absent: it was made before endpoints had one.
    pub token_id: Option<String>,
    /// What comes after the question mark of the address.
    pub sealed_query: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
