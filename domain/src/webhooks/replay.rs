//! `SendTest`, `ReplayDelivery`, `ReplayDeliveries`.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult as _, QueryFilter, Statement, sea_query::Value,
};
use serde::Serialize;

use super::delivery::get_delivery;
use super::fan_out::{Subscription, delivery, insert};
use super::manage::{load, unknown_types};
use super::payload::{TEST, test_body, type_of};
use super::{Delivery, DeliveryState, EndpointState};
use crate::clock::Millis;
use crate::events::{Event, Kind, ResourceType};
use crate::identity::Caller;
use crate::store::entities::webhook_deliveries::{Column, Entity, Model};
use crate::store::entities::webhook_endpoints;
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, Violation, requests};

const SEND_TEST: &str = "SendTest";
const REPLAY: &str = "ReplayDelivery";
const REPLAY_WINDOW: &str = "ReplayDeliveries";
/// The number of rows that one transaction reads.
const BATCH: usize = 256;

/// A delivery that is due within this time, in milliseconds, may be held by a worker. Its due time is not changed.
const MAYBE_CLAIMED: Millis = 120_000;

/// The parameters of `ReplayDeliveries`: an endpoint and a time range.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayWindow {
    pub endpoint_id: String,
    pub start_time: Millis,
    /// The exclusive end. `None`: now.
    pub end_time: Option<Millis>,
    pub event_types: Vec<String>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// Creates a delivery of a test event, which is due at once.
///
/// # Errors
/// NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED.
pub async fn send_test(
    context: &Context,
    caller: &Caller,
    endpoint_id: &str,
    request_id: Option<String>,
) -> Result<Delivery> {
    let (workspace_id, endpoint_id) = (caller.workspace_id.clone(), endpoint_id.to_owned());
    let id = context
        .store
        .write(move |tx| {
            let (workspace_id, endpoint_id, request_id) =
                (workspace_id.clone(), endpoint_id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                if let Some(id) =
                    requests::check(tx, &workspace_id, request_id, SEND_TEST, &endpoint_id).await?
                {
                    return Ok(id);
                }
                enabled(tx, &workspace_id, &endpoint_id).await?;
                let (id, now) = (tx.id(), tx.now().await?);
                let test = Model {
                    id: id.clone(),
                    workspace_id: workspace_id.clone(),
                    webhook_id: format!("msg_{}", id.replace('-', "")),
                    event_sequence: None,
                    event_type: TEST.to_owned(),
                    event_time: now,
                    resource_type: None,
                    body: test_body(&endpoint_id, now)?,
                    endpoint_id: endpoint_id.clone(),
                    state: DeliveryState::Pending,
                    attempts: 0,
                    failures: 0,
                    due_time: now,
                    last_status: None,
                    create_time: now,
                    update_time: now,
                    end_time: None,
                };
                insert(tx, test).await?;
                requests::remember(tx, &workspace_id, request_id, SEND_TEST, &endpoint_id, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await?;
    context.feed.hint_webhooks();
    Ok(get_delivery(context, caller, &id).await?.delivery)
}

/// Sends a delivery again. A pending delivery becomes due now if its next attempt is more than two minutes away.
///
/// # Errors
/// NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED.
pub async fn replay(
    context: &Context,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<Delivery> {
    requests::once(context, caller, REPLAY, id, request_id, |tx, workspace_id, id| {
        async move {
            let query = Entity::find_by_id(id).of_workspace(workspace_id);
            let row = query.one(tx).await?;
            let row = row.ok_or_else(|| Error::not_found("webhook delivery", id))?;
            enabled(tx, workspace_id, &row.endpoint_id).await?;
            restart(tx, &[id.to_owned()]).await?;
            let now = tx.now().await?;
            Entity::update_many()
                .col_expr(Column::DueTime, Expr::value(now))
                .filter(Column::Id.eq(id))
                .filter(Column::State.eq(DeliveryState::Pending))
                .filter(Column::DueTime.gt(now + MAYBE_CLAIMED))
                .exec(tx)
                .await?;
            Ok(())
        }
        .boxed()
    })
    .await?;
    context.feed.hint_webhooks();
    Ok(get_delivery(context, caller, id).await?.delivery)
}

/// Sends all events of a time range again. This includes events without a delivery, because the endpoint was disabled
/// or did not subscribe to their type. Returns the number of deliveries that were restarted or created.
///
/// # Errors
/// Violations; NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED.
pub async fn replay_window(context: &Context, caller: &Caller, window: ReplayWindow) -> Result<u64> {
    let now = context.store.now().await?;
    let end = window.end_time.unwrap_or(now);
    let mut violations: Vec<_> = unknown_types(&window.event_types)
        .into_iter()
        .map(|name| Violation::new("event_types", format!("unknown event type {name:?}")))
        .collect();
    if end <= window.start_time {
        violations.push(Violation::new("end_time", "must be after start_time"));
    }
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let workspace_id = caller.workspace_id.clone();
    let (opened, workspace) = (window.clone(), workspace_id.clone());
    let known = context
        .store
        .write(move |tx| {
            let (window, workspace_id) = (opened.clone(), workspace.clone());
            async move {
                let request_id = window.request_id.as_deref();
                let known = requests::check(tx, &workspace_id, request_id, REPLAY_WINDOW, &window).await?;
                if known.as_deref().is_some_and(|id| id != requests::UNFINISHED) {
                    return Ok(true);
                }
                enabled(tx, &workspace_id, &window.endpoint_id).await?;
                if known.is_none() {
                    // Reserves the idempotency key. If this call is cut off, a repeated call completes the replay.
                    let unfinished = requests::UNFINISHED;
                    requests::remember(tx, &workspace_id, request_id, REPLAY_WINDOW, &window, unfinished)
                        .await?;
                }
                Ok(false)
            }
            .boxed()
        })
        .await?;
    if known {
        return Ok(0);
    }
    // In several transactions, because the time range can be large. If the call is cut off and repeated, some
    // deliveries are sent twice, but no delivery is skipped.
    let mut replayed = 0;
    let mut after = None;
    loop {
        let (inner, workspace_id, step, from) = (
            context.clone(),
            workspace_id.clone(),
            window.clone(),
            after.take(),
        );
        let (count, next) = context
            .store
            .write(move |tx| {
                let (context, workspace_id, window, from) =
                    (inner.clone(), workspace_id.clone(), step.clone(), from.clone());
                async move { replay_step(tx, &context, &workspace_id, &window, end, from).await }.boxed()
            })
            .await?;
        replayed += count;
        context.feed.hint_webhooks();
        if next.is_none() {
            return Ok(replayed);
        }
        after = next;
    }
}

/// The position of a replay, which first reads the existing deliveries, then the log.
#[derive(Clone)]
enum Position {
    /// After the delivery with this id.
    Written(String),
    /// After this sequence of the log.
    Logged(i64),
}

async fn replay_step(
    tx: &Tx,
    context: &Context,
    workspace_id: &str,
    window: &ReplayWindow,
    end: Millis,
    from: Option<Position>,
) -> Result<(u64, Option<Position>)> {
    let endpoint = load(tx, workspace_id, &window.endpoint_id).await?;
    let asked =
        |name: &str| window.event_types.is_empty() || window.event_types.iter().any(|one| one == name);
    match from.unwrap_or_else(|| Position::Written(String::new())) {
        Position::Written(after) => {
            let statement = Statement::from_sql_and_values(
                tx.get_database_backend(),
                format!(
                    "SELECT id, event_type FROM webhook_deliveries WHERE endpoint_id = $1 AND event_time >= $2 \
                     AND event_time < $3 AND event_sequence IS NOT NULL AND state <> 'PENDING' AND id > $4 \
                     ORDER BY id LIMIT {BATCH}"
                ),
                [
                    Value::from(endpoint.id.as_str()),
                    Value::from(window.start_time),
                    Value::from(end),
                    Value::from(after),
                ],
            );
            let rows = tx.query_all_raw(statement).await?;
            let mut ids = Vec::new();
            let mut last = None;
            for row in &rows {
                let id: String = row.try_get("", "id")?;
                let event_type: String = row.try_get("", "event_type")?;
                last = Some(id.clone());
                if asked(&event_type) {
                    ids.push(id);
                }
            }
            let count = restart(tx, &ids).await?;
            let next = match last {
                Some(id) if rows.len() == BATCH => Position::Written(id),
                _ => Position::Logged(0),
            };
            Ok((count, Some(next)))
        }
        Position::Logged(after) => {
            let events = logged(tx, &endpoint, window, end, after).await?;
            let subscription = Subscription::of(&endpoint)?;
            let now = tx.now().await?;
            let mut count = 0;
            for event in events
                .iter()
                .filter(|event| subscription.includes(event) && asked(&type_of(event.kind)))
            {
                let row = delivery(context, &endpoint, &subscription, event, now)?;
                count += u64::from(insert(tx, row).await?);
            }
            let last = events.last().map(|event| event.sequence);
            if let Some(last) = last.filter(|_| events.len() == BATCH) {
                return Ok((count, Some(Position::Logged(last))));
            }
            let request_id = window.request_id.as_deref();
            requests::finish(tx, workspace_id, request_id, &endpoint.id).await?;
            Ok((count, None))
        }
    }
}

/// Reads the events of a time range up to the endpoint's position. The fan-out sends later events.
async fn logged(
    tx: &Tx,
    endpoint: &webhook_endpoints::Model,
    window: &ReplayWindow,
    end: Millis,
    after: i64,
) -> Result<Vec<Event>> {
    #[derive(sea_orm::FromQueryResult)]
    struct Row {
        sequence: i64,
        time: Millis,
        kind: Kind,
        resource_type: ResourceType,
        resource_id: String,
        account_id: Option<String>,
        thread_id: Option<String>,
        payload: String,
    }
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        format!(
            "SELECT sequence, time, kind, resource_type, resource_id, account_id, thread_id, payload FROM events \
             WHERE workspace_id = $1 AND sequence > $2 AND sequence <= $3 AND time >= $4 AND time < $5 \
             ORDER BY sequence LIMIT {BATCH}"
        ),
        [
            Value::from(endpoint.workspace_id.as_str()),
            Value::from(after),
            Value::from(endpoint.log_position),
            Value::from(window.start_time),
            Value::from(end),
        ],
    );
    let rows = tx.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let row = Row::from_query_result(row, "")?;
            Ok(Event {
                sequence: row.sequence,
                time: row.time,
                kind: row.kind,
                resource_type: row.resource_type,
                resource_id: row.resource_id,
                account_id: row.account_id,
                thread_id: row.thread_id,
                payload: row.payload,
            })
        })
        .collect()
}

/// Loads and locks an endpoint.
///
/// # Errors
/// NOT_FOUND, WEBHOOK_ENDPOINT_DISABLED.
async fn enabled(tx: &Tx, workspace_id: &str, endpoint_id: &str) -> Result<webhook_endpoints::Model> {
    let row = load(tx, workspace_id, endpoint_id).await?;
    if row.state == EndpointState::Enabled {
        return Ok(row);
    }
    let refused = Error::rejected(
        Reason::WebhookEndpointDisabled,
        "the webhook endpoint is disabled; enable it first",
    );
    Err(refused.with("endpoint_id", endpoint_id))
}

/// Makes ended deliveries pending and due now, with their full number of retries. Returns the number of changed rows.
async fn restart(tx: &Tx, ids: &[String]) -> Result<u64> {
    if ids.is_empty() {
        return Ok(0);
    }
    let now = tx.now().await?;
    let updated = Entity::update_many()
        .col_expr(Column::State, Expr::value(DeliveryState::Pending))
        .col_expr(Column::DueTime, Expr::value(now))
        .col_expr(Column::Failures, Expr::value(0))
        .col_expr(Column::EndTime, Expr::value(None::<Millis>))
        .col_expr(Column::UpdateTime, Expr::value(now))
        .filter(Column::Id.is_in(ids.iter().map(String::as_str)))
        .filter(Column::State.ne(DeliveryState::Pending))
        .exec(tx)
        .await?;
    Ok(updated.rows_affected)
}
