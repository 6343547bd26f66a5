//! From a bearer token to a caller. Each call reads the token's row, so that a revocation counts at once everywhere.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use super::{ApiToken, Caller, Secret};
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::{api_tokens, owners};
use crate::{Domain, Error, Reason, Result};

/// How exactly a token's last use is recorded: a write for every read would cost more than the read.
const LAST_USE_PRECISION: Millis = 60_000;

/// Who calls with this bearer token (without the word `Bearer`).
///
/// # Errors
/// TOKEN_MISSING, TOKEN_INVALID (malformed, unknown or revoked), TOKEN_EXPIRED.
pub async fn authenticate(domain: &Domain, bearer: Option<&str>) -> Result<Caller> {
    let Some(bearer) = bearer.map(str::trim).filter(|bearer| !bearer.is_empty()) else {
        return Err(Error::rejected(
            Reason::TokenMissing,
            "send an API token: authorization: Bearer <token>",
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
        .one(domain.store.reader())
        .await?
        .filter(|row| row.revoke_time.is_none())
        .ok_or_else(invalid)?;
    if let Some(expire_time) = row.expire_time
        && expire_time <= domain.store.now().await?
    {
        return Err(Error::rejected(
            Reason::TokenExpired,
            "the API token has expired; make another",
        ));
    }
    let now = domain.clock.now();
    if row
        .last_use_time
        .is_none_or(|last| last + LAST_USE_PRECISION <= now)
    {
        // Nobody waits for it: a busy writer must not hold up a reading call.
        tokio::spawn(record_use(domain.store.clone(), row.id.clone(), now));
    }
    let token = ApiToken::from(row);
    Ok(Caller {
        owner_id: token.owner_id,
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

/// The owner's name, and the token that was used.
pub async fn who_am_i(domain: &Domain, caller: &Caller) -> Result<(String, ApiToken)> {
    let reader = domain.store.reader();
    let owner = owners::Entity::find_by_id(&caller.owner_id).one(reader).await?;
    let owner = owner.ok_or_else(|| Error::Internal(format!("owner {} is gone", caller.owner_id)))?;
    let token = api_tokens::Entity::find_by_id(&caller.token_id)
        .one(reader)
        .await?;
    let token = token.ok_or_else(|| Error::not_found("API token", &caller.token_id))?;
    Ok((owner.name, token.into()))
}
