//! Claims due deliveries, each for one worker at a time.
//!
//! A claim moves the due time of the delivery to the end of the lease and increments its number of attempts. No other
//! worker claims the delivery before that time, and the number distinguishes later claims.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement,
};

use super::payload::narrow_body;
use super::secret::{Secret, Secrets};
use super::{DeliveryState, EndpointState, address, token};
use crate::clock::Millis;
use crate::identity::Scopes;
use crate::store::entities::webhook_deliveries::{self, Column, Entity};
use crate::store::entities::webhook_endpoints;
use crate::store::{Store, Tx};
use crate::{Context, Result, failpoints};

/// A claim: the right to send a delivery until the lease expires.
#[derive(Clone)]
pub struct Claim {
    pub delivery: webhook_deliveries::Model,
    pub url: String,
    /// The secrets that sign, the current one first.
    pub secrets: Vec<Secret>,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim")
            .field("delivery", &self.delivery)
            .field("url", &address::redacted(&self.url))
            .finish_non_exhaustive()
    }
}

/// The due deliveries.
#[derive(Clone, Debug, Default)]
pub struct Due {
    /// The ids of the endpoints with due deliveries, and whether the latest attempts of each have failed.
    pub endpoints: HashMap<String, bool>,
    /// The milliseconds until the next delivery is due. `None`: no delivery is scheduled for later.
    pub next: Option<Millis>,
}

/// Finds the enabled endpoints with due deliveries, and the time until the next endpoint has one.
pub async fn due(store: &Store) -> Result<Due> {
    let now = store.now().await?;
    let connection = store.reader();
    // An ordered endpoint waits for its earliest pending event, even if later ones are due.
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

/// Claims up to `limit` due deliveries of an endpoint.
///
/// If the endpoint is ordered, only its earliest pending event is claimed, and only if no worker holds it. Test
/// deliveries are not ordered. Disables the endpoint instead if its token has ended.
pub async fn claim(context: &Context, endpoint_id: &str, limit: u64, lease_ms: Millis) -> Result<Vec<Claim>> {
    let (inner, endpoint_id) = (context.clone(), endpoint_id.to_owned());
    context
        .store
        .write(move |tx| {
            let (context, endpoint_id) = (inner.clone(), endpoint_id.clone());
            async move {
                // The lock prevents two workers from claiming two events of an ordered endpoint at the same time.
                let query = tx.locked(webhook_endpoints::Entity::find_by_id(endpoint_id.as_str()));
                let endpoint = query.one(tx).await?;
                let Some(mut endpoint) = endpoint.filter(|row| row.state == EndpointState::Enabled) else {
                    return Ok(Vec::new());
                };
                let now = tx.now().await?;
                if !token::check(tx, &endpoint, now).await? {
                    return Ok(Vec::new());
                }
                let url = address::open(&context, &endpoint)?;
                if address::is_unsealed(&endpoint) {
                    address::set(&context, &mut endpoint, &url)?;
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
                let secrets =
                    Secrets::open(&context, &endpoint.workspace_id, &endpoint.id, &endpoint.secrets)?;
                // A delivery stays pending until its response is recorded.
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
                        // The endpoint's scopes may have been reduced since the delivery was written.
                        row.body = narrow_body(row.body, row.resource_type, &scopes)?;
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

/// Stores the sealed query of an endpoint whose query was unsealed.
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

/// Releases a claim whose request was not completed. The delivery is due at once.
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
