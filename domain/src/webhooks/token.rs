//! Endpoints send in the name of a token: that of whoever said last where they lead. They stop when it ends.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::manage::save;
use super::switch::switch_off;
use super::{DisableReason, EndpointState};
use crate::clock::Millis;
use crate::events::Kind;
use crate::identity::{Caller, Scopes, links};
use crate::store::Tx;
use crate::store::entities::webhook_endpoints::{Column, Entity, Model};
use crate::{Result, failpoints};

const ENDED: &str = "the API token in whose name events were sent was revoked or has expired";

/// Stops an endpoint whose token has ended. Returns whether it goes on.
pub(super) async fn goes_on(tx: &Tx, row: &Model, now: Millis) -> Result<bool> {
    let Some(token_id) = &row.token_id else {
        return Ok(true);
    };
    if failpoints::disables("endpoints") || links::is_live(tx, token_id, now).await? {
        return Ok(true);
    }
    switch_off(tx, row.clone(), DisableReason::TokenEnded, ENDED).await?;
    Ok(false)
}

/// Has an endpoint send in the caller's name: what may be told there is what both tokens may read.
pub(super) fn take(row: &mut Model, caller: &Caller) -> Result<()> {
    narrow(row, &caller.scopes)?;
    row.token_id = Some(caller.token_id.clone());
    Ok(())
}

/// The same, where the token that it sends for has ended.
pub(super) async fn take_over_if_ended(tx: &Tx, row: &mut Model, caller: &Caller, now: Millis) -> Result<()> {
    match &row.token_id {
        Some(token_id) if !links::is_live(tx, token_id, now).await? => take(row, caller),
        _ => Ok(()),
    }
}

/// Stops every endpoint of a token that is revoked.
pub(crate) async fn disable_all_of(tx: &Tx, token_id: &str) -> Result<()> {
    if failpoints::disables("endpoints") {
        return Ok(());
    }
    for row in of(tx, token_id).await? {
        if row.state == EndpointState::Enabled {
            switch_off(tx, row, DisableReason::TokenEnded, ENDED).await?;
        }
    }
    Ok(())
}

/// Gives a token's endpoints to its successor, which is told no more there than it may read.
pub(crate) async fn hand_over(tx: &Tx, token_id: &str, successor_id: &str, scopes: &Scopes) -> Result<()> {
    for mut row in of(tx, token_id).await? {
        narrow(&mut row, scopes)?;
        row.token_id = Some(successor_id.to_owned());
        save(tx, row, Kind::WebhookEndpointUpdated).await?;
    }
    Ok(())
}

async fn of(tx: &Tx, token_id: &str) -> Result<Vec<Model>> {
    let query = Entity::find()
        .filter(Column::TokenId.eq(token_id))
        .order_by_asc(Column::Id);
    Ok(tx.locked(query).all(tx).await?)
}

fn narrow(row: &mut Model, scopes: &Scopes) -> Result<()> {
    let before: Scopes = serde_json::from_str(&row.scopes)?;
    let both: Scopes = before.iter().filter(|scope| scopes.contains(*scope)).collect();
    row.scopes = serde_json::to_string(&both)?;
    Ok(())
}
