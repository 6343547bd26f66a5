//! Fan-out: writes deliveries for the events of the log. Each endpoint has its own position in the log.

use futures::FutureExt;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, Statement,
};

use super::payload::{body, type_of};
use super::{DeliveryState, EndpointState, token};
use crate::clock::Millis;
use crate::events::{self, Event};
use crate::identity::Scopes;
use crate::keys::sha256_hex;
use crate::store::entities::{event_heads, webhook_deliveries, webhook_endpoints};
use crate::store::{Store, Tx};
use crate::{Context, Error, Reason, Result};

/// The number of events that one transaction fans out, so that other writers wait only briefly.
const BATCH: u64 = 128;

/// Returns the ids of the enabled endpoints that are behind the head of their log.
pub async fn behind(store: &Store) -> Result<Vec<String>> {
    let connection = store.reader();
    let statement = Statement::from_string(
        connection.get_database_backend(),
        "SELECT w.id AS id FROM webhook_endpoints w JOIN event_heads h ON h.workspace_id = w.workspace_id \
         WHERE w.state = 'ENABLED' AND w.log_position < h.sequence",
    );
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

/// Writes the deliveries of an endpoint for the next events in the log and advances its position, in one transaction.
/// Returns whether more events follow.
pub async fn fan_out(context: &Context, endpoint_id: &str) -> Result<bool> {
    let (inner, endpoint_id) = (context.clone(), endpoint_id.to_owned());
    context
        .store
        .write(move |tx| {
            let (context, endpoint_id) = (inner.clone(), endpoint_id.clone());
            async move {
                let query = tx.locked(webhook_endpoints::Entity::find_by_id(endpoint_id.as_str()));
                let Some(endpoint) = query.one(tx).await? else {
                    return Ok(false);
                };
                if endpoint.state != EndpointState::Enabled {
                    return Ok(false);
                }
                if !token::check(tx, &endpoint, tx.now().await?).await? {
                    return Ok(false);
                }
                let page = events::read_in(tx, &endpoint.workspace_id, endpoint.log_position, BATCH).await;
                let (position, more) = match page {
                    Ok(page) => {
                        let subscription = Subscription::of(&endpoint)?;
                        let now = tx.now().await?;
                        for event in page.events.iter().filter(|event| subscription.includes(event)) {
                            insert(tx, delivery(&context, &endpoint, &subscription, event, now)?).await?;
                        }
                        let last = page
                            .events
                            .last()
                            .map_or(endpoint.log_position, |event| event.sequence);
                        (last, last < page.head)
                    }
                    // The endpoint was disabled for longer than the retention of the log, or the database was restored.
                    // The events in between cannot be sent.
                    Err(error) if error.reason() == Some(Reason::CursorExpired) => {
                        let head = event_heads::Entity::find_by_id(endpoint.workspace_id.as_str())
                            .one(tx)
                            .await?;
                        let head =
                            head.ok_or_else(|| Error::Internal("a workspace has no event log".to_owned()))?;
                        tracing::warn!(
                            endpoint_id,
                            floor = head.floor,
                            "the log no longer has all events for a webhook endpoint; it continues at the floor"
                        );
                        (head.floor, head.floor < head.sequence)
                    }
                    Err(error) => return Err(error),
                };
                webhook_endpoints::Entity::update_many()
                    .col_expr(webhook_endpoints::Column::LogPosition, Expr::value(position))
                    .filter(webhook_endpoints::Column::Id.eq(endpoint_id.as_str()))
                    .exec(tx)
                    .await?;
                Ok(more)
            }
            .boxed()
        })
        .await
}

/// The event types and scopes of an endpoint.
pub(super) struct Subscription {
    /// Empty: all types.
    types: Vec<String>,
    scopes: Scopes,
}

impl Subscription {
    pub(super) fn of(endpoint: &webhook_endpoints::Model) -> Result<Self> {
        Ok(Self {
            types: serde_json::from_str(&endpoint.event_types)?,
            scopes: serde_json::from_str(&endpoint.scopes)?,
        })
    }

    pub(super) fn includes(&self, event: &Event) -> bool {
        self.types.is_empty() || self.types.contains(&type_of(event.kind))
    }
}

/// Creates the delivery of an event, which is due at once.
pub(super) fn delivery(
    context: &Context,
    endpoint: &webhook_endpoints::Model,
    subscription: &Subscription,
    event: &Event,
    now: Millis,
) -> Result<webhook_deliveries::Model> {
    Ok(webhook_deliveries::Model {
        id: context.ids.id(),
        workspace_id: endpoint.workspace_id.clone(),
        endpoint_id: endpoint.id.clone(),
        webhook_id: webhook_id(&context.log_epoch, &endpoint.id, event.sequence),
        event_sequence: Some(event.sequence),
        event_type: type_of(event.kind),
        event_time: event.time,
        resource_type: Some(event.resource_type),
        body: body(event, &subscription.scopes)?,
        state: DeliveryState::Pending,
        attempts: 0,
        failures: 0,
        due_time: now,
        last_status: None,
        create_time: now,
        update_time: now,
        end_time: None,
    })
}

/// Derives the `webhook-id` from log epoch, endpoint and sequence, so that it is the same if the delivery is written
/// again.
fn webhook_id(log_epoch: &str, endpoint_id: &str, sequence: i64) -> String {
    let hash = sha256_hex(format!("{log_epoch}/{endpoint_id}/{sequence}"));
    format!("msg_{}", &hash[..32])
}

/// Inserts a delivery unless it exists. Returns whether it was inserted.
pub(super) async fn insert(tx: &Tx, row: webhook_deliveries::Model) -> Result<bool> {
    let key = [
        webhook_deliveries::Column::EndpointId,
        webhook_deliveries::Column::WebhookId,
    ];
    let mut row = row.into_active_model();
    row.end_time = Set(None);
    let inserted = webhook_deliveries::Entity::insert(row)
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(inserted > 0)
}
