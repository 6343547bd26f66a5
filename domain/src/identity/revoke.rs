//! Revoking an API token together with the tokens, webhook endpoints and links that were created with it.
//!
//! A stolen token may have been used to create tokens, endpoints and links, so that these end with it. A successor
//! token can take them over instead. Links carry their token's id; [`super::links`] checks whether that token is still
//! valid.

use std::collections::HashSet;

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use super::tokens::read;
use super::{ApiToken, Caller, Scopes, links};
use crate::clock::{Millis, rfc3339};
use crate::events::{Kind, PendingEvent};
use crate::store::entities::api_tokens::{Column, Entity, Model};
use crate::store::entities::invitations;
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, failpoints, requests, webhooks};

/// The parameters of a revocation.
#[derive(Clone, Debug)]
pub struct Revoke {
    pub id: String,
    /// The token that takes over the tokens, links and endpoints that this token created. Absent: they end too.
    pub successor_id: Option<String>,
    pub request_id: Option<String>,
}

impl Revoke {
    /// Revokes a token and everything created with it.
    pub fn of(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            successor_id: None,
            request_id: None,
        }
    }
}

const METHOD: &str = "RevokeApiToken";

/// Revokes a token.
///
/// Without a successor, all tokens that were created with it, directly or indirectly, are revoked too. Their webhook
/// endpoints are disabled, and their links end. With a successor, all of these belong to the successor. Revoking a
/// token again changes nothing.
///
/// # Errors
/// - NOT_FOUND.
/// - A violation if the successor is the token itself, or expires before a token that it takes over.
/// - SCOPE_NOT_GRANTABLE if the successor lacks a scope of such a token.
/// - TOKEN_INVALID or TOKEN_EXPIRED if the successor is revoked or has expired.
pub async fn revoke_token(context: &Context, caller: &Caller, revoke: Revoke) -> Result<ApiToken> {
    if revoke.successor_id.as_ref() == Some(&revoke.id) {
        return Err(Error::invalid("successor_id", "must be another token"));
    }
    let (workspace_id, id) = (caller.workspace_id.clone(), revoke.id.clone());
    let caller = caller.clone();
    context
        .store
        .write(move |tx| {
            let (workspace_id, revoke, caller) = (workspace_id.clone(), revoke.clone(), caller.clone());
            async move {
                let request_id = revoke.request_id.as_deref();
                let parameters = (&revoke.id, &revoke.successor_id);
                let known = requests::check(tx, &workspace_id, request_id, METHOD, &parameters).await?;
                if known.is_some() {
                    return Ok(());
                }
                run(tx, &caller, &revoke).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &parameters, &revoke.id).await
            }
            .boxed()
        })
        .await?;
    read(context, &id).await
}

async fn run(tx: &Tx, caller: &Caller, revoke: &Revoke) -> Result<()> {
    // Locks all tokens, in id order. A concurrent creation waits for the lock of its token.
    let all = Entity::find()
        .of_workspace(&caller.workspace_id)
        .order_by_asc(Column::Id);
    let all = tx.locked(all).all(tx).await?;
    let token = all.iter().find(|row| row.id == revoke.id);
    let token = token.ok_or_else(|| Error::not_found("API token", &revoke.id))?;
    if token.revoke_time.is_some() {
        return Ok(());
    }
    // The caller may have ended since the call was authenticated.
    links::lock_live(tx, caller).await?;
    let now = tx.now().await?;
    match &revoke.successor_id {
        Some(id) => {
            let successor = all.iter().find(|row| row.id == *id);
            let successor = successor.ok_or_else(|| Error::not_found("API token", id))?;
            links::require(successor, now)?;
            transfer_to_successor(tx, &all, token, successor).await?;
            let mut token = token.clone();
            token.successor_id = Some(id.clone());
            end(tx, token, now).await
        }
        None => end_with_descendants(tx, &all, &token.id, now).await,
    }
}

/// Revokes the tokens that a person created, directly or indirectly. Disables the webhook endpoints of the person and
/// of these tokens.
pub(super) async fn end_creations(tx: &Tx, workspace_id: &str, user_id: &str) -> Result<()> {
    let all = Entity::find().of_workspace(workspace_id).order_by_asc(Column::Id);
    let all = tx.locked(all).all(tx).await?;
    webhooks::disable_all_of(tx, user_id).await?;
    let invited = invitations::Column::InviterId.eq(user_id);
    invitations::Entity::delete_many()
        .filter(invited)
        .exec(tx)
        .await?;
    end_with_descendants(tx, &all, user_id, tx.now().await?).await
}

/// Revokes all tokens of a workspace.
pub(super) async fn end_all(tx: &Tx, workspace_id: &str) -> Result<()> {
    let live = Entity::find()
        .of_workspace(workspace_id)
        .filter(Column::RevokeTime.is_null())
        .order_by_asc(Column::Id);
    let now = tx.now().await?;
    for row in tx.locked(live).all(tx).await? {
        end(tx, row, now).await?;
    }
    Ok(())
}

/// Revokes the tokens that were created with this id, directly or indirectly, and the token with this id.
async fn end_with_descendants(tx: &Tx, all: &[Model], id: &str, now: Millis) -> Result<()> {
    let ended = with_descendants(all, id);
    for row in all.iter().filter(|row| ended.contains(row.id.as_str())) {
        webhooks::disable_all_of(tx, &row.id).await?;
        if row.revoke_time.is_none() {
            end(tx, row.clone(), now).await?;
        }
    }
    Ok(())
}

async fn end(tx: &Tx, mut row: Model, now: Millis) -> Result<()> {
    row.revoke_time = Some(now);
    save(tx, row, Kind::ApiTokenRevoked).await
}

async fn save(tx: &Tx, row: Model, kind: Kind) -> Result<()> {
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(kind, &ApiToken::from(row))?);
    Ok(())
}

/// Returns the id of a token or person, and those of all tokens created with it, directly or indirectly.
fn with_descendants<'a>(all: &'a [Model], id: &'a str) -> HashSet<&'a str> {
    let mut found = HashSet::from([id]);
    if failpoints::disables("children") {
        return found;
    }
    loop {
        let children = all.iter().filter(|row| {
            let parent = row.parent_id.as_deref();
            parent.is_some_and(|parent| found.contains(parent)) && !found.contains(row.id.as_str())
        });
        let children: Vec<_> = children.map(|row| row.id.as_str()).collect();
        if children.is_empty() {
            return found;
        }
        found.extend(children);
    }
}

/// Makes the successor the parent of the token's children and the token of its webhook endpoints.
async fn transfer_to_successor(tx: &Tx, all: &[Model], token: &Model, successor: &Model) -> Result<()> {
    let scopes: Scopes = serde_json::from_str(&successor.scopes).unwrap_or_default();
    let is_below = with_descendants(all, &token.id).contains(successor.id.as_str());
    for child in all {
        if child.parent_id.as_deref() != Some(token.id.as_str()) || child.id == successor.id {
            continue;
        }
        let mut child = child.clone();
        if child.revoke_time.is_none() {
            check_may_take_over(successor, &scopes, &child)?;
        }
        child.parent_id = Some(successor.id.clone());
        save(tx, child, Kind::ApiTokenUpdated).await?;
    }
    if is_below {
        // Otherwise the successor would be its own ancestor.
        let mut successor = successor.clone();
        successor.parent_id.clone_from(&token.parent_id);
        save(tx, successor, Kind::ApiTokenUpdated).await?;
    }
    webhooks::transfer_to_successor(tx, &token.id, &successor.id, &scopes).await
}

fn check_may_take_over(successor: &Model, scopes: &Scopes, child: &Model) -> Result<()> {
    let own: Scopes = serde_json::from_str(&child.scopes).unwrap_or_default();
    if let Some(lacking) = own.iter().find(|scope| !scopes.contains(*scope)) {
        let message = format!(
            "the successor lacks scope {}, which token {} has that it would take over",
            lacking.name(),
            child.id
        );
        return Err(Error::rejected(Reason::ScopeNotGrantable, message).with("scope", lacking.name()));
    }
    match successor.expire_time {
        Some(time) if child.expire_time.is_none_or(|of_child| of_child > time) => Err(Error::invalid(
            "successor_id",
            format!(
                "expires at {}, before token {} that it would take over",
                rfc3339(time),
                child.id
            ),
        )),
        _ => Ok(()),
    }
}
