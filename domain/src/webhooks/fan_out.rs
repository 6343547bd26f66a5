//! From the log to deliveries: each endpoint reads behind a position of its own.

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
use crate::{Domain, Error, Reason, Result};

/// Events that one transaction passes on: the writer is everybody's.
const BATCH: u64 = 128;

/// Endpoints for which the log goes on.
pub async fn behind(store: &Store) -> Result<Vec<String>> {
    let connection = store.reader();
    let statement = Statement::from_string(
        connection.get_database_backend(),
        "SELECT w.id AS id FROM webhook_endpoints w JOIN event_heads h ON h.owner_id = w.owner_id \
         WHERE w.state = 'ENABLED' AND w.log_position < h.sequence",
    );
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

/// Writes deliveries for the events that follow in the log, and moves the endpoint's position behind them: both or neither.
/// Returns whether there is more.
pub async fn fan_out(domain: &Domain, endpoint_id: &str) -> Result<bool> {
    let (inner, endpoint_id) = (domain.clone(), endpoint_id.to_owned());
    domain
        .store
        .write(move |tx| {
            let (domain, endpoint_id) = (inner.clone(), endpoint_id.clone());
            async move {
                let query = tx.locked(webhook_endpoints::Entity::find_by_id(endpoint_id.as_str()));
                let Some(endpoint) = query.one(tx).await? else {
                    return Ok(false);
                };
                if endpoint.state != EndpointState::Enabled {
                    return Ok(false);
                }
                if !token::goes_on(tx, &endpoint, tx.now().await?).await? {
                    return Ok(false);
                }
                let page = events::read_in(tx, &endpoint.owner_id, endpoint.log_position, BATCH).await;
                let (position, more) = match page {
                    Ok(page) => {
                        let taker = Taker::of(&endpoint)?;
                        let now = tx.now().await?;
                        for event in page.events.iter().filter(|event| taker.takes(event)) {
                            insert(tx, delivery(&domain, &endpoint, &taker, event, now)?).await?;
                        }
                        let last = page
                            .events
                            .last()
                            .map_or(endpoint.log_position, |event| event.sequence);
                        (last, last < page.head)
                    }
                    // Disabled for longer than the log lasts, or the database was restored: those events are gone.
                    Err(error) if error.reason() == Some(Reason::CursorExpired) => {
                        let head = event_heads::Entity::find_by_id(endpoint.owner_id.as_str())
                            .one(tx)
                            .await?;
                        let head =
                            head.ok_or_else(|| Error::Internal("an owner has no event log".to_owned()))?;
                        tracing::warn!(
                            endpoint_id,
                            floor = head.floor,
                            "events of a webhook endpoint are gone from the log"
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

/// Which events an endpoint takes, and what of them.
pub(super) struct Taker {
    /// Empty: all.
    types: Vec<String>,
    scopes: Scopes,
}

impl Taker {
    pub(super) fn of(endpoint: &webhook_endpoints::Model) -> Result<Self> {
        Ok(Self {
            types: serde_json::from_str(&endpoint.event_types)?,
            scopes: serde_json::from_str(&endpoint.scopes)?,
        })
    }

    pub(super) fn takes(&self, event: &Event) -> bool {
        self.types.is_empty() || self.types.contains(&type_of(event.kind))
    }
}

/// The delivery of an event, to be sent at once.
pub(super) fn delivery(
    domain: &Domain,
    endpoint: &webhook_endpoints::Model,
    taker: &Taker,
    event: &Event,
    now: Millis,
) -> Result<webhook_deliveries::Model> {
    Ok(webhook_deliveries::Model {
        id: domain.ids.id(),
        owner_id: endpoint.owner_id.clone(),
        endpoint_id: endpoint.id.clone(),
        webhook_id: webhook_id(&domain.log_epoch, &endpoint.id, event.sequence),
        event_sequence: Some(event.sequence),
        event_type: type_of(event.kind),
        event_time: event.time,
        resource_type: Some(event.resource_type),
        body: body(event, &taker.scopes)?,
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

/// Follows from what is sent where, so that whoever writes it again writes the same.
fn webhook_id(log_epoch: &str, endpoint_id: &str, sequence: i64) -> String {
    let hash = sha256_hex(format!("{log_epoch}/{endpoint_id}/{sequence}"));
    format!("msg_{}", &hash[..32])
}

/// Writes a delivery unless it is there. Returns whether it was new.
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
