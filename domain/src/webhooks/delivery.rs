//! `ListDeliveries`, `GetDelivery`, and the retention of deliveries.

use futures::FutureExt;
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, DeriveActiveEnum, EntityTrait, EnumIter, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::TEST;
use super::manage::unknown_types;
use crate::clock::Millis;
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::entities::webhook_attempts;
use crate::store::entities::webhook_deliveries::{Column, Entity, Model};
use crate::store::{OfWorkspace, Store};
use crate::{Context, Error, Result, Violation};

/// The maximum number of attempts that `GetDelivery` returns.
const SHOWN: u64 = 100;

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryState {
    Pending,
    Delivered,
    Failed,
}

/// A webhook delivery without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: String,
    pub endpoint_id: String,
    pub webhook_id: String,
    pub event_type: String,
    /// The sequence of the event. `None`: the delivery is a test.
    pub event_sequence: Option<i64>,
    pub event_time: Millis,
    pub state: DeliveryState,
    pub attempts: i64,
    pub next_attempt_time: Option<Millis>,
    pub last_status: Option<i64>,
    pub create_time: Millis,
    pub end_time: Option<Millis>,
}

/// One attempt at a delivery: the request and the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub number: i64,
    pub url: String,
    pub time: Millis,
    pub duration_ms: Millis,
    pub request_headers: Vec<(String, String)>,
    pub status: Option<i64>,
    pub response_headers: Vec<(String, String)>,
    pub response_body: String,
    pub truncated: bool,
    /// Why the attempt failed. `None`: it succeeded.
    pub error: Option<String>,
}

/// A delivery with its body and attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    pub delivery: Delivery,
    /// The body. `None`: the caller may not read it.
    pub body: Option<String>,
    /// The latest 100 attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

/// A filter of deliveries.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    pub endpoint_id: Option<String>,
    pub states: Vec<DeliveryState>,
    pub event_types: Vec<String>,
    pub start_time: Option<Millis>,
    pub end_time: Option<Millis>,
}

impl From<Model> for Delivery {
    fn from(row: Model) -> Self {
        Self {
            next_attempt_time: (row.state == DeliveryState::Pending).then_some(row.due_time),
            id: row.id,
            endpoint_id: row.endpoint_id,
            webhook_id: row.webhook_id,
            event_type: row.event_type,
            event_sequence: row.event_sequence,
            event_time: row.event_time,
            state: row.state,
            attempts: row.attempts,
            last_status: row.last_status,
            create_time: row.create_time,
            end_time: row.end_time,
        }
    }
}

impl From<webhook_attempts::Model> for Attempt {
    fn from(row: webhook_attempts::Model) -> Self {
        Self {
            request_headers: serde_json::from_str(&row.request_headers).unwrap_or_default(),
            response_headers: serde_json::from_str(&row.response_headers).unwrap_or_default(),
            number: row.number,
            // Attempts from before queries were redacted may have a query.
            url: super::address::redacted(&row.url),
            time: row.time,
            duration_ms: row.duration_ms,
            status: row.status,
            response_body: row.response_body,
            truncated: row.truncated,
            error: row.error,
        }
    }
}

/// Lists the deliveries of the caller's workspace, newest first.
///
/// # Errors
/// Violations for unknown event types; PAGE_TOKEN_INVALID.
pub async fn list_deliveries(
    context: &Context,
    caller: &Caller,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Delivery>> {
    let unknown: Vec<_> = unknown_types(&filter.event_types)
        .into_iter()
        .filter(|name| *name != TEST)
        .map(|name| Violation::new("event_types", format!("unknown event type {name:?}")))
        .collect();
    if !unknown.is_empty() {
        return Err(Error::Invalid(unknown));
    }
    let method = (caller.workspace_id.as_str(), "ListDeliveries");
    let query_page = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, filter, page)?;
    let mut query = Entity::find().of_workspace(&caller.workspace_id);
    if let Some(id) = &filter.endpoint_id {
        query = query.filter(Column::EndpointId.eq(id.as_str()));
    }
    if !filter.states.is_empty() {
        query = query.filter(Column::State.is_in(filter.states.iter().copied()));
    }
    if !filter.event_types.is_empty() {
        query = query.filter(Column::EventType.is_in(filter.event_types.iter().map(String::as_str)));
    }
    if let Some(time) = filter.start_time {
        query = query.filter(Column::EventTime.gte(time));
    }
    if let Some(time) = filter.end_time {
        query = query.filter(Column::EventTime.lt(time));
    }
    if let Some(condition) = query_page.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(query_page.to_read())
        .all(context.store.reader())
        .await?;
    let deliveries = rows.into_iter().map(Delivery::from).collect();
    query_page.close(&context.keys, deliveries, |one: &Delivery| {
        (one.create_time, one.id.clone())
    })
}

/// Returns a delivery of the caller's workspace.
///
/// # Errors
/// NOT_FOUND.
pub async fn get_delivery(context: &Context, caller: &Caller, id: &str) -> Result<Detail> {
    // One statement, so that state and attempts are consistent.
    let joined = Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .find_also_related(webhook_attempts::Entity)
        .order_by_desc(webhook_attempts::Column::Number)
        .limit(SHOWN)
        .all(context.store.reader())
        .await?;
    let (rows, newest_first): (Vec<_>, Vec<_>) = joined.into_iter().unzip();
    let row = rows.into_iter().next();
    let row = row.ok_or_else(|| Error::not_found("webhook delivery", id))?;
    let may_read = row.resource_type.is_none_or(|of| of.is_readable(&caller.scopes));
    Ok(Detail {
        body: may_read.then(|| row.body.clone()),
        delivery: row.into(),
        attempts: newest_first
            .into_iter()
            .flatten()
            .rev()
            .map(Attempt::from)
            .collect(),
    })
}

/// Removes the deliveries that ended before `before`, with their attempts. Returns the number of removed deliveries.
pub async fn retain(store: &Store, before: Millis) -> Result<u64> {
    store
        .write(move |tx| {
            async move {
                let old = Column::EndTime.lt(before);
                let ids = Query::select()
                    .column(Column::Id)
                    .from(Entity)
                    .and_where(old.clone())
                    .to_owned();
                webhook_attempts::Entity::delete_many()
                    .filter(webhook_attempts::Column::DeliveryId.in_subquery(ids))
                    .exec(tx)
                    .await?;
                let gone = Entity::delete_many().filter(old).exec(tx).await?;
                Ok(gone.rows_affected)
            }
            .boxed()
        })
        .await
}
