//! Revoking an API token, with what was made with it: tokens, webhook endpoints, links.
//!
//! What a token made ends with it, since whoever held it may have made that; unless the call names a successor. Links carry
//! their token's id, and ask [`super::links`] whether it is still good.

use std::collections::HashSet;

use futures::FutureExt;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use super::tokens::read;
use super::{ApiToken, Caller, Scopes, links};
use crate::clock::{Millis, rfc3339};
use crate::events::{Kind, PendingEvent};
use crate::store::Tx;
use crate::store::entities::api_tokens::{Column, Entity, Model};
use crate::{Domain, Error, Reason, Result, failpoints, requests, webhooks};

/// What is to be revoked.
#[derive(Clone, Debug)]
pub struct Revoke {
    pub id: String,
    /// The token that takes over what this one made. Absent: that ends too.
    pub successor_id: Option<String>,
    pub request_id: Option<String>,
}

impl Revoke {
    /// Of a token, with what was made with it.
    pub fn of(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            successor_id: None,
            request_id: None,
        }
    }
}

const METHOD: &str = "RevokeApiToken";

/// Makes a token useless from now on. Without a successor, the tokens that were made with it are revoked too, and those made
/// with them; their webhook endpoints are disabled, and their links end. With one, all of that is the successor's. Revoking a
/// token again changes nothing.
///
/// # Errors
/// NOT_FOUND; a violation for a successor that is the token itself, or does not last as long as a token that it is to have
/// made; SCOPE_NOT_GRANTABLE where it lacks a scope of such a token; TOKEN_INVALID and TOKEN_EXPIRED where it has ended.
pub async fn revoke_token(domain: &Domain, caller: &Caller, revoke: Revoke) -> Result<ApiToken> {
    if revoke.successor_id.as_ref() == Some(&revoke.id) {
        return Err(Error::invalid("successor_id", "must be another token"));
    }
    let (owner_id, id) = (caller.owner_id.clone(), revoke.id.clone());
    domain
        .store
        .write(move |tx| {
            let (owner_id, revoke) = (owner_id.clone(), revoke.clone());
            async move {
                let request_id = revoke.request_id.as_deref();
                let parameters = (&revoke.id, &revoke.successor_id);
                let known = requests::check(tx, &owner_id, request_id, METHOD, &parameters).await?;
                if known.is_some() {
                    return Ok(());
                }
                run(tx, &owner_id, &revoke).await?;
                requests::remember(tx, &owner_id, request_id, METHOD, &parameters, &revoke.id).await
            }
            .boxed()
        })
        .await?;
    read(domain, &id).await
}

async fn run(tx: &Tx, owner_id: &str, revoke: &Revoke) -> Result<()> {
    // All of them, in one order: what is made with one meanwhile waits for its row.
    let all = Entity::find()
        .filter(Column::OwnerId.eq(owner_id))
        .order_by_asc(Column::Id);
    let all = tx.locked(all).all(tx).await?;
    let token = all.iter().find(|row| row.id == revoke.id);
    let token = token.ok_or_else(|| Error::not_found("API token", &revoke.id))?;
    if token.revoke_time.is_some() {
        return Ok(());
    }
    let now = tx.now().await?;
    match &revoke.successor_id {
        Some(id) => {
            let successor = all.iter().find(|row| row.id == *id);
            let successor = successor.ok_or_else(|| Error::not_found("API token", id))?;
            links::require(successor, now)?;
            hand_over(tx, &all, token, successor).await?;
            let mut token = token.clone();
            token.successor_id = Some(id.clone());
            end(tx, token, now).await
        }
        None => {
            let ended = with_descendants(&all, &token.id);
            for row in all.iter().filter(|row| ended.contains(row.id.as_str())) {
                webhooks::disable_all_of(tx, &row.id).await?;
                if row.revoke_time.is_none() {
                    end(tx, row.clone(), now).await?;
                }
            }
            Ok(())
        }
    }
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

/// A token and what was made with it, with that, and so on.
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

/// Puts the successor in the token's place: among those who made tokens, and as the one in whose name events are sent.
async fn hand_over(tx: &Tx, all: &[Model], token: &Model, successor: &Model) -> Result<()> {
    let scopes: Scopes = serde_json::from_str(&successor.scopes).unwrap_or_default();
    let is_below = with_descendants(all, &token.id).contains(successor.id.as_str());
    for child in all {
        if child.parent_id.as_deref() != Some(token.id.as_str()) || child.id == successor.id {
            continue;
        }
        let mut child = child.clone();
        if child.revoke_time.is_none() {
            may_have_made(successor, &scopes, &child)?;
        }
        child.parent_id = Some(successor.id.clone());
        save(tx, child, Kind::ApiTokenUpdated).await?;
    }
    if is_below {
        // Else a token would have made its own maker.
        let mut successor = successor.clone();
        successor.parent_id.clone_from(&token.parent_id);
        save(tx, successor, Kind::ApiTokenUpdated).await?;
    }
    webhooks::hand_over(tx, &token.id, &successor.id, &scopes).await
}

fn may_have_made(successor: &Model, scopes: &Scopes, child: &Model) -> Result<()> {
    let own: Scopes = serde_json::from_str(&child.scopes).unwrap_or_default();
    if let Some(lacking) = own.iter().find(|scope| !scopes.contains(*scope)) {
        let message = format!(
            "the successor lacks scope {}, which the token {} has that it would have made",
            lacking.name(),
            child.id
        );
        return Err(Error::rejected(Reason::ScopeNotGrantable, message).with("scope", lacking.name()));
    }
    match successor.expire_time {
        Some(time) if child.expire_time.is_none_or(|of_child| of_child > time) => Err(Error::invalid(
            "successor_id",
            format!(
                "expires at {}, before the token {} that it would have made",
                rfc3339(time),
                child.id
            ),
        )),
        _ => Ok(()),
    }
}
