//! The API token or the person of an endpoint: the caller who last set its URL. The endpoint is disabled when the token
//! ends, or when the person is removed, disabled or no longer owner.

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

const ENDED: &str = "the API token of the endpoint was revoked or has expired";

/// Disables the endpoint if its token has ended. Returns whether events may be sent.
pub(super) async fn check(tx: &Tx, row: &Model, now: Millis) -> Result<bool> {
    let Some(token_id) = &row.token_id else {
        return Ok(true);
    };
    if failpoints::disables("endpoints") || links::is_live(tx, token_id, now).await? {
        return Ok(true);
    }
    switch_off(tx, row.clone(), DisableReason::TokenEnded, ENDED).await?;
    Ok(false)
}

/// Assigns an endpoint to the caller's token or person, and limits its scopes to the scopes of both.
pub(super) fn assign(row: &mut Model, caller: &Caller) -> Result<()> {
    narrow(row, &caller.scopes)?;
    row.token_id = Some(caller.creator_id().to_owned());
    Ok(())
}

/// Assigns an endpoint to the caller's token or person if its own has ended.
pub(super) async fn assign_if_ended(tx: &Tx, row: &mut Model, caller: &Caller, now: Millis) -> Result<()> {
    match &row.token_id {
        Some(token_id) if !links::is_live(tx, token_id, now).await? => assign(row, caller),
        _ => Ok(()),
    }
}

/// Disables all endpoints of a token or person that has ended.
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

/// Assigns the endpoints of a token to its successor, and limits their scopes to those of the successor.
pub(crate) async fn transfer_to_successor(
    tx: &Tx,
    token_id: &str,
    successor_id: &str,
    scopes: &Scopes,
) -> Result<()> {
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
