//! `EnableEndpoint`, `DisableEndpoint`, and the disabling of endpoints by the server.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::manage::{get, load, save};
use super::{DeliveryState, DisableReason, Endpoint, EndpointState, token};
use crate::events::Kind;
use crate::identity::{Caller, links};
use crate::store::Tx;
use crate::store::entities::{webhook_deliveries, webhook_endpoints};
use crate::{Context, Result};

/// Disables an endpoint. A disabled endpoint stays unchanged.
pub async fn disable(context: &Context, caller: &Caller, id: &str) -> Result<Endpoint> {
    let (workspace_id, id) = (caller.workspace_id.clone(), id.to_owned());
    let at = id.clone();
    context
        .store
        .write(move |tx| {
            let (workspace_id, id) = (workspace_id.clone(), id.clone());
            async move {
                let row = load(tx, &workspace_id, &id).await?;
                if row.state == EndpointState::Enabled {
                    switch_off(tx, row, DisableReason::Person, "a person disabled the endpoint").await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await?;
    get(context, caller, &at).await
}

/// Disables an endpoint with a reason. Its pending deliveries stay pending until the endpoint is enabled.
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

/// Enables an endpoint. Its pending deliveries become due at once, with their full number of retries.
///
/// If the endpoint's token has ended, the endpoint belongs to the caller's token from then on. Its events then include
/// only resources that both tokens may read. An enabled endpoint stays unchanged.
pub async fn enable(context: &Context, caller: &Caller, id: &str) -> Result<Endpoint> {
    let (caller_, id) = (caller.clone(), id.to_owned());
    let at = id.clone();
    context
        .store
        .write(move |tx| {
            let (caller, id) = (caller_.clone(), id.clone());
            async move {
                links::lock_live(tx, &caller).await?;
                let mut row = load(tx, &caller.workspace_id, &id).await?;
                if row.state == EndpointState::Enabled {
                    return Ok(());
                }
                row.state = EndpointState::Enabled;
                row.disable_reason = None;
                row.message = None;
                row.failing_since = None;
                let now = tx.now().await?;
                token::assign_if_ended(tx, &mut row, &caller, now).await?;
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
    get(context, caller, &at).await
}
