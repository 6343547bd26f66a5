//! Taking deliveries that are due, each by one worker at a time.
//!
//! A claim moves the delivery's due time to the end of its lease and counts it: nobody else takes it before, and whoever
//! comes after has another number.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
};

use super::payload::narrowed;
use super::secret::{Secret, Secrets};
use super::{DeliveryState, EndpointState, address, token};
use crate::clock::Millis;
use crate::identity::Scopes;
use crate::store::entities::webhook_deliveries::{self, Column, Entity};
use crate::store::entities::webhook_endpoints;
use crate::store::{Store, Tx};
use crate::{Domain, Result, failpoints};

/// The right to send a delivery until its lease runs out.
#[derive(Clone)]
pub struct Claim {
    pub delivery: webhook_deliveries::Model,
    pub url: String,
    /// Those that sign, the present one first.
    pub secrets: Vec<Secret>,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim")
            .field("delivery", &self.delivery)
            .field("url", &address::shown(&self.url))
            .finish_non_exhaustive()
    }
}

/// What there is to do, as far as the table knows.
#[derive(Clone, Debug, Default)]
pub struct Due {
    /// Endpoints with deliveries that are due, and whether nothing but failures came back from each lately.
    pub endpoints: HashMap<String, bool>,
    /// Milliseconds until the next one is due that is not yet.
    pub next: Option<Millis>,
}

/// Which endpoints have something due, and when the next one will.
pub async fn due(store: &Store) -> Result<Due> {
    let now = store.now().await?;
    let connection = store.reader();
    // Of an ordered endpoint the earliest counts, whatever else is due.
    let statement = Statement::from_string(
        connection.get_database_backend(),
        "SELECT w.id AS id, w.failing_since AS failing_since, CASE WHEN w.ordered THEN \
         (SELECT d.due_time FROM webhook_deliveries d WHERE d.endpoint_id = w.id AND d.state = 'PENDING' \
          AND d.event_sequence IS NOT NULL ORDER BY d.event_sequence LIMIT 1) END AS first_due, \
         (SELECT MIN(d.due_time) FROM webhook_deliveries d WHERE d.endpoint_id = w.id AND d.state = 'PENDING' \
          AND (NOT w.ordered OR d.event_sequence IS NULL)) AS any_due \
         FROM webhook_endpoints w WHERE w.state = 'ENABLED'",
    );
    let mut found = Due::default();
    for row in connection.query_all_raw(statement).await? {
        let first: Option<Millis> = row.try_get("", "first_due")?;
        let any: Option<Millis> = row.try_get("", "any_due")?;
        let failing: Option<Millis> = row.try_get("", "failing_since")?;
        let Some(time) = first.into_iter().chain(any).min() else {
            continue;
        };
        if time <= now {
            found.endpoints.insert(row.try_get("", "id")?, failing.is_some());
        } else {
            found.next = Some(found.next.map_or(time - now, |next| next.min(time - now)));
        }
    }
    Ok(found)
}

/// Claims up to `limit` of an endpoint's due deliveries. Of one that wants its events in order, the earliest alone, and that
/// only when nobody has it.
pub async fn claim(domain: &Domain, endpoint_id: &str, limit: u64, lease_ms: Millis) -> Result<Vec<Claim>> {
    let (inner, endpoint_id) = (domain.clone(), endpoint_id.to_owned());
    domain
        .store
        .write(move |tx| {
            let (domain, endpoint_id) = (inner.clone(), endpoint_id.clone());
            async move {
                // Its lock keeps two workers from sending an ordered endpoint two events at once.
                let query = tx.locked(webhook_endpoints::Entity::find_by_id(endpoint_id.as_str()));
                let endpoint = query.one(tx).await?;
                let Some(mut endpoint) = endpoint.filter(|row| row.state == EndpointState::Enabled) else {
                    return Ok(Vec::new());
                };
                let now = tx.now().await?;
                if !token::goes_on(tx, &endpoint, now).await? {
                    return Ok(Vec::new());
                }
                let url = address::open(&domain, &endpoint)?;
                if address::is_clear(&endpoint) {
                    address::set(&domain, &mut endpoint, &url)?;
                    seal(tx, &endpoint).await?;
                }
                let pending = Entity::find()
                    .filter(Column::EndpointId.eq(endpoint_id.as_str()))
                    .filter(Column::State.eq(DeliveryState::Pending));
                let mut rows = Vec::new();
                let mut free = Condition::all().add(Column::DueTime.lte(now));
                if endpoint.ordered {
                    let first = pending
                        .clone()
                        .filter(Column::EventSequence.is_not_null())
                        .order_by_asc(Column::EventSequence)
                        .one(tx)
                        .await?;
                    rows.extend(first.filter(|row| row.due_time <= now));
                    free = free.add(Column::EventSequence.is_null());
                }
                let others = pending
                    .filter(free)
                    .order_by_asc(Column::DueTime)
                    .order_by_asc(Column::EventSequence)
                    .limit(limit.saturating_sub(rows.len() as u64))
                    .all(tx)
                    .await?;
                rows.extend(others);
                let scopes: Scopes = serde_json::from_str(&endpoint.scopes)?;
                let secrets = Secrets::open(&domain, &endpoint.owner_id, &endpoint.id, &endpoint.secrets)?;
                // It is done when an answer is written down, and not before.
                let state = if failpoints::disables("webhooks") {
                    DeliveryState::Delivered
                } else {
                    DeliveryState::Pending
                };
                let mut claims = Vec::with_capacity(rows.len());
                for mut row in rows {
                    let updated = Entity::update_many()
                        .col_expr(Column::DueTime, Expr::value(now + lease_ms))
                        .col_expr(Column::Attempts, Expr::value(row.attempts + 1))
                        .col_expr(Column::State, Expr::value(state))
                        .filter(Column::Id.eq(row.id.as_str()))
                        .filter(Column::Attempts.eq(row.attempts))
                        .filter(Column::State.eq(DeliveryState::Pending))
                        .exec(tx)
                        .await?;
                    if updated.rows_affected == 1 {
                        row.attempts += 1;
                        // It may have been written before the endpoint was led to somebody who may read less.
                        row.body = narrowed(row.body, row.resource_type, &scopes)?;
                        claims.push(Claim {
                            delivery: row,
                            url: url.clone(),
                            secrets: secrets.signing(now),
                        });
                    }
                }
                Ok(claims)
            }
            .boxed()
        })
        .await
}

/// Writes an address whose query was in clear.
async fn seal(tx: &Tx, endpoint: &webhook_endpoints::Model) -> Result<()> {
    webhook_endpoints::Entity::update_many()
        .col_expr(webhook_endpoints::Column::Url, Expr::value(endpoint.url.as_str()))
        .col_expr(
            webhook_endpoints::Column::SealedQuery,
            Expr::value(endpoint.sealed_query.clone()),
        )
        .filter(webhook_endpoints::Column::Id.eq(endpoint.id.as_str()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Hands a delivery back that was not sent to its end, to be taken up at once.
pub async fn release(store: &Store, claim: &Claim) -> Result<()> {
    let (id, number) = (claim.delivery.id.clone(), claim.delivery.attempts);
    store
        .write(move |tx| {
            let id = id.clone();
            async move {
                let now = tx.now().await?;
                Entity::update_many()
                    .col_expr(Column::DueTime, Expr::value(now))
                    .filter(Column::Id.eq(id))
                    .filter(Column::Attempts.eq(number))
                    .filter(Column::State.eq(DeliveryState::Pending))
                    .exec(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
}
