//! Authentication of bearer tokens. Each call reads the token's row, so that a revocation applies at once in all
//! processes.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use super::{ApiToken, Caller, Secret};
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::{api_tokens, workspaces};
use crate::{Context, Error, Reason, Result};

/// The precision of a token's recorded last use. A write for every read would cost more than the read.
const LAST_USE_PRECISION: Millis = 60_000;

/// Returns the caller of a bearer token. `bearer` does not include the word `Bearer`.
///
/// # Errors
/// TOKEN_MISSING, TOKEN_INVALID (malformed, unknown or revoked), TOKEN_EXPIRED.
pub async fn authenticate(context: &Context, bearer: Option<&str>) -> Result<Caller> {
    let Some(bearer) = bearer.map(str::trim).filter(|bearer| !bearer.is_empty()) else {
        return Err(Error::rejected(
            Reason::TokenMissing,
            "an API token is required; send the header authorization: Bearer <token>",
        ));
    };
    let invalid = || {
        Error::rejected(
            Reason::TokenInvalid,
            "the API token is malformed, unknown or revoked",
        )
    };
    let hash = Secret::hash_of(bearer).ok_or_else(invalid)?;
    let row = api_tokens::Entity::find()
        .filter(api_tokens::Column::SecretHash.eq(hash))
        .one(context.store.reader())
        .await?
        .filter(|row| row.revoke_time.is_none())
        .ok_or_else(invalid)?;
    if let Some(expire_time) = row.expire_time
        && expire_time <= context.store.now().await?
    {
        return Err(Error::rejected(
            Reason::TokenExpired,
            "the API token has expired; create another",
        ));
    }
    let now = context.clock.now();
    if row
        .last_use_time
        .is_none_or(|last| last + LAST_USE_PRECISION <= now)
    {
        // The call does not wait for this write, because a busy writer must not delay a read.
        tokio::spawn(record_use(context.store.clone(), row.id.clone(), now));
    }
    let token = ApiToken::from(row);
    Ok(Caller {
        workspace_id: token.workspace_id,
        token_id: token.id,
        scopes: token.scopes,
        expire_time: token.expire_time,
    })
}

async fn record_use(store: Store, token_id: String, now: Millis) {
    let recorded = store
        .write(move |tx| {
            let token_id = token_id.clone();
            async move {
                let old = Condition::any()
                    .add(api_tokens::Column::LastUseTime.is_null())
                    .add(api_tokens::Column::LastUseTime.lte(now - LAST_USE_PRECISION));
                api_tokens::Entity::update_many()
                    .col_expr(api_tokens::Column::LastUseTime, Expr::value(now))
                    .filter(api_tokens::Column::Id.eq(token_id))
                    .filter(old)
                    .exec(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await;
    if let Err(error) = recorded {
        tracing::warn!(%error, "a token's last use could not be recorded");
    }
}

/// Returns the name of the workspace and the caller's token.
pub async fn who_am_i(context: &Context, caller: &Caller) -> Result<(String, ApiToken)> {
    let reader = context.store.reader();
    let workspace = workspaces::Entity::find_by_id(&caller.workspace_id)
        .one(reader)
        .await?;
    let workspace =
        workspace.ok_or_else(|| Error::Internal(format!("workspace {} is gone", caller.workspace_id)))?;
    let token = api_tokens::Entity::find_by_id(&caller.token_id)
        .one(reader)
        .await?;
    let token = token.ok_or_else(|| Error::not_found("API token", &caller.token_id))?;
    Ok((workspace.name, token.into()))
}
