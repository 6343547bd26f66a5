//! `EnableEndpoint`, `DisableEndpoint`, and disabling what does not answer.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::manage::{get, load, save};
use super::{DeliveryState, DisableReason, Endpoint, EndpointState, token};
use crate::events::Kind;
use crate::identity::{Caller, links};
use crate::store::Tx;
use crate::store::entities::{webhook_deliveries, webhook_endpoints};
use crate::{Domain, Result};

/// Stops sending to an endpoint.
pub async fn disable(domain: &Domain, caller: &Caller, id: &str) -> Result<Endpoint> {
    let (owner_id, id) = (caller.owner_id.clone(), id.to_owned());
    let at = id.clone();
    domain
        .store
        .write(move |tx| {
            let (owner_id, id) = (owner_id.clone(), id.clone());
            async move {
                let row = load(tx, &owner_id, &id).await?;
                if row.state == EndpointState::Enabled {
                    switch_off(tx, row, DisableReason::Person, "somebody disabled it").await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await?;
    get(domain, caller, &at).await
}

/// Nothing is sent to it any more. What waits stays where it is, and goes on when the endpoint is enabled.
pub(super) async fn switch_off(
    tx: &Tx,
    mut row: webhook_endpoints::Model,
    reason: DisableReason,
    message: &str,
) -> Result<()> {
    row.state = EndpointState::Disabled;
    row.disable_reason = Some(reason);
    row.message = Some(message.to_owned());
    save(tx, row, Kind::WebhookEndpointDisabled).await
}

/// Sends to an endpoint again. What waits begins anew, at once. Where the token has ended in whose name it sent, it sends in
/// the caller's, and is told no more than both may read.
pub async fn enable(domain: &Domain, caller: &Caller, id: &str) -> Result<Endpoint> {
    let (caller_, id) = (caller.clone(), id.to_owned());
    let at = id.clone();
    domain
        .store
        .write(move |tx| {
            let (caller, id) = (caller_.clone(), id.clone());
            async move {
                links::lock_live(tx, &caller.owner_id, &caller.token_id).await?;
                let mut row = load(tx, &caller.owner_id, &id).await?;
                if row.state == EndpointState::Enabled {
                    return Ok(());
                }
                row.state = EndpointState::Enabled;
                row.disable_reason = None;
                row.message = None;
                row.failing_since = None;
                let now = tx.now().await?;
                token::take_over_if_ended(tx, &mut row, &caller, now).await?;
                webhook_deliveries::Entity::update_many()
                    .col_expr(webhook_deliveries::Column::DueTime, Expr::value(now))
                    .col_expr(webhook_deliveries::Column::Failures, Expr::value(0))
                    .filter(webhook_deliveries::Column::EndpointId.eq(id.as_str()))
                    .filter(webhook_deliveries::Column::State.eq(DeliveryState::Pending))
                    .exec(tx)
                    .await?;
                save(tx, row, Kind::WebhookEndpointUpdated).await
            }
            .boxed()
        })
        .await?;
    get(domain, caller, &at).await
}
