//! Webhook endpoints, with their positions in the event log.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub workspace_id: String,
    /// The URL with its query redacted; the query is sealed.
    pub url: String,
    pub description: String,
    /// JSON list. Empty: all types.
    pub event_types: String,
    /// JSON list of the scopes that limit the events sent to the endpoint.
    pub scopes: String,
    pub ordered: bool,
    pub state: crate::webhooks::EndpointState,
    pub disable_reason: Option<crate::webhooks::DisableReason>,
    pub message: Option<String>,
    /// The secrets, sealed.
    pub secrets: String,
    /// The time until which an earlier secret also signs.
    pub old_secret_expire_time: Option<i64>,
    /// The sequence up to which deliveries are written.
    pub log_position: i64,
    /// The time since which all attempts have failed.
    pub failing_since: Option<i64>,
    pub create_time: i64,
    pub update_time: i64,
    pub sequence: i64,
    /// The token or person that the endpoint belongs to. `None`: the endpoint was created before endpoints had a token.
    pub token_id: Option<String>,
    /// The query of the URL, sealed. `None`: there is no query.
    pub sealed_query: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
