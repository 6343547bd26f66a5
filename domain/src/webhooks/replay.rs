//! `SendTest`, `ReplayDelivery`, `ReplayDeliveries`.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult as _, QueryFilter, Statement, sea_query::Value,
};
use serde::Serialize;

use super::delivery::get_delivery;
use super::fan_out::{Taker, delivery, insert};
use super::manage::{load, unknown_types};
use super::payload::{TEST, test_body, type_of};
use super::{Delivery, DeliveryState, EndpointState};
use crate::clock::Millis;
use crate::events::{Event, Kind, ResourceType};
use crate::identity::Caller;
use crate::store::Tx;
use crate::store::entities::webhook_deliveries::{Column, Entity, Model};
use crate::store::entities::webhook_endpoints;
use crate::{Domain, Error, Reason, Result, Violation, requests};

const SEND_TEST: &str = "SendTest";
const REPLAY: &str = "ReplayDelivery";
const REPLAY_WINDOW: &str = "ReplayDeliveries";
/// Events of the log that one transaction looks at.
const BATCH: usize = 256;

/// What is due within this time, in milliseconds, may be in somebody's hands: it is left to them.
const SOON: Millis = 120_000;

/// Everything of an endpoint that happened in a window.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayWindow {
    pub endpoint_id: String,
    pub start_time: Millis,
    /// Absent: now.
    pub end_time: Option<Millis>,
    pub event_types: Vec<String>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// Puts a test on its way.
///
/// # Errors
/// WEBHOOK_ENDPOINT_DISABLED.
pub async fn send_test(
    domain: &Domain,
    caller: &Caller,
    endpoint_id: &str,
    request_id: Option<String>,
) -> Result<Delivery> {
    let (owner_id, endpoint_id) = (caller.owner_id.clone(), endpoint_id.to_owned());
    let id = domain
        .store
        .write(move |tx| {
            let (owner_id, endpoint_id, request_id) =
                (owner_id.clone(), endpoint_id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                if let Some(id) = requests::check(tx, &owner_id, request_id, SEND_TEST, &endpoint_id).await? {
                    return Ok(id);
                }
                enabled(tx, &owner_id, &endpoint_id).await?;
                let (id, now) = (tx.id(), tx.now().await?);
                let test = Model {
                    id: id.clone(),
                    owner_id: owner_id.clone(),
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
                requests::remember(tx, &owner_id, request_id, SEND_TEST, &endpoint_id, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await?;
    domain.feed.hint_webhooks();
    Ok(get_delivery(domain, caller, &id).await?.delivery)
}

/// Puts one delivery on its way again. One that waits for a later attempt is tried now.
///
/// # Errors
/// WEBHOOK_ENDPOINT_DISABLED.
pub async fn replay(
    domain: &Domain,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<Delivery> {
    requests::once(domain, caller, REPLAY, id, request_id, |tx, owner_id, id| {
        async move {
            let query = Entity::find_by_id(id).filter(Column::OwnerId.eq(owner_id));
            let row = query.one(tx).await?;
            let row = row.ok_or_else(|| Error::not_found("webhook delivery", id))?;
            enabled(tx, owner_id, &row.endpoint_id).await?;
            again(tx, &[id.to_owned()]).await?;
            let now = tx.now().await?;
            Entity::update_many()
                .col_expr(Column::DueTime, Expr::value(now))
                .filter(Column::Id.eq(id))
                .filter(Column::State.eq(DeliveryState::Pending))
                .filter(Column::DueTime.gt(now + SOON))
                .exec(tx)
                .await?;
            Ok(())
        }
        .boxed()
    })
    .await?;
    domain.feed.hint_webhooks();
    Ok(get_delivery(domain, caller, id).await?.delivery)
}

/// Puts everything of a window on its way again, also what was never written for the endpoint because it was disabled or did
/// not take that type then. Returns how many deliveries that made.
///
/// # Errors
/// Violations; WEBHOOK_ENDPOINT_DISABLED.
pub async fn replay_window(domain: &Domain, caller: &Caller, window: ReplayWindow) -> Result<u64> {
    let now = domain.store.now().await?;
    let end = window.end_time.unwrap_or(now);
    let mut violations: Vec<_> = unknown_types(&window.event_types)
        .into_iter()
        .map(|name| Violation::new("event_types", format!("there is no type {name:?}")))
        .collect();
    if end <= window.start_time {
        violations.push(Violation::new("end_time", "must be after start_time"));
    }
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    let owner_id = caller.owner_id.clone();
    let (opened, owner) = (window.clone(), owner_id.clone());
    let known = domain
        .store
        .write(move |tx| {
            let (window, owner_id) = (opened.clone(), owner.clone());
            async move {
                let request_id = window.request_id.as_deref();
                let known = requests::check(tx, &owner_id, request_id, REPLAY_WINDOW, &window).await?;
                if known.as_deref().is_some_and(|id| id != requests::UNFINISHED) {
                    return Ok(true);
                }
                enabled(tx, &owner_id, &window.endpoint_id).await?;
                if known.is_none() {
                    // The id is this call's from here on; one that is cut off is finished by its repetition.
                    let unfinished = requests::UNFINISHED;
                    requests::remember(tx, &owner_id, request_id, REPLAY_WINDOW, &window, unfinished).await?;
                }
                Ok(false)
            }
            .boxed()
        })
        .await?;
    if known {
        return Ok(0);
    }
    // In steps, since a window may hold more than one transaction should. A call that is cut off and repeated sends some of
    // it twice; none is left out.
    let mut replayed = 0;
    let mut after = None;
    loop {
        let (inner, owner_id, step, from) = (domain.clone(), owner_id.clone(), window.clone(), after.take());
        let (count, next) = domain
            .store
            .write(move |tx| {
                let (domain, owner_id, window, from) =
                    (inner.clone(), owner_id.clone(), step.clone(), from.clone());
                async move { one_step(tx, &domain, &owner_id, &window, end, from).await }.boxed()
            })
            .await?;
        replayed += count;
        domain.feed.hint_webhooks();
        if next.is_none() {
            return Ok(replayed);
        }
        after = next;
    }
}

/// Where a window's reading goes on: first through what was written, then through the log.
#[derive(Clone)]
enum Place {
    Written(String),
    Logged(i64),
}

async fn one_step(
    tx: &Tx,
    domain: &Domain,
    owner_id: &str,
    window: &ReplayWindow,
    end: Millis,
    from: Option<Place>,
) -> Result<(u64, Option<Place>)> {
    let endpoint = load(tx, owner_id, &window.endpoint_id).await?;
    let asked =
        |name: &str| window.event_types.is_empty() || window.event_types.iter().any(|one| one == name);
    match from.unwrap_or_else(|| Place::Written(String::new())) {
        Place::Written(after) => {
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
            let count = again(tx, &ids).await?;
            let next = match last {
                Some(id) if rows.len() == BATCH => Place::Written(id),
                _ => Place::Logged(0),
            };
            Ok((count, Some(next)))
        }
        Place::Logged(after) => {
            let events = logged(tx, &endpoint, window, end, after).await?;
            let taker = Taker::of(&endpoint)?;
            let now = tx.now().await?;
            let mut count = 0;
            for event in events
                .iter()
                .filter(|event| taker.takes(event) && asked(&type_of(event.kind)))
            {
                let row = delivery(domain, &endpoint, &taker, event, now)?;
                count += u64::from(insert(tx, row).await?);
            }
            let last = events.last().map(|event| event.sequence);
            if let Some(last) = last.filter(|_| events.len() == BATCH) {
                return Ok((count, Some(Place::Logged(last))));
            }
            let request_id = window.request_id.as_deref();
            requests::finish(tx, owner_id, request_id, &endpoint.id).await?;
            Ok((count, None))
        }
    }
}

/// What the log has of a window, as far as the endpoint has come: what lies beyond is sent by itself.
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
             WHERE owner_id = $1 AND sequence > $2 AND sequence <= $3 AND time >= $4 AND time < $5 \
             ORDER BY sequence LIMIT {BATCH}"
        ),
        [
            Value::from(endpoint.owner_id.as_str()),
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

/// The endpoint, locked, if anything is sent to it.
async fn enabled(tx: &Tx, owner_id: &str, endpoint_id: &str) -> Result<webhook_endpoints::Model> {
    let row = load(tx, owner_id, endpoint_id).await?;
    if row.state == EndpointState::Enabled {
        return Ok(row);
    }
    let refused = Error::rejected(
        Reason::WebhookEndpointDisabled,
        "the webhook endpoint is disabled; enable it first",
    );
    Err(refused.with("endpoint_id", endpoint_id))
}

/// Puts ended deliveries on their way from the beginning.
async fn again(tx: &Tx, ids: &[String]) -> Result<u64> {
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
