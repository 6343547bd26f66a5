//! Authentication of API tokens and access tokens. Each call reads the row of the token or of the session, so that a
//! revocation applies at once in all processes.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use super::{ApiToken, Caller, Person, Secret, access_token, links, sessions};
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::{api_tokens, user_sessions};
use crate::{Context, Error, Reason, Result};

/// The precision of a token's recorded last use. A write for every read would cost more than the read.
const LAST_USE_PRECISION: Millis = 60_000;

/// Returns the caller of a bearer token: an API token, or the access token of a session. `bearer` does not include the
/// word `Bearer`.
///
/// # Errors
/// TOKEN_MISSING, TOKEN_INVALID (malformed, unknown or revoked, or the session has ended), TOKEN_EXPIRED.
pub async fn authenticate(context: &Context, bearer: Option<&str>) -> Result<Caller> {
    let Some(bearer) = bearer.map(str::trim).filter(|bearer| !bearer.is_empty()) else {
        return Err(Error::rejected(
            Reason::TokenMissing,
            "a token is required; send the header authorization: Bearer <token>, or sign in",
        ));
    };
    if Secret::has_prefix(bearer) {
        of_api_token(context, bearer).await
    } else {
        of_session(context, bearer).await
    }
}

async fn of_session(context: &Context, token: &str) -> Result<Caller> {
    let tokens = &context.people.access_tokens;
    // The time at which the token was issued came from this clock too.
    let now = context.store.now().await?;
    let claims = tokens.verify(&context.keys, token, now)?;
    let reader = context.store.reader();
    let session = user_sessions::Entity::find_by_id(&claims.sid).one(reader).await?;
    let session = session
        .filter(|session| session.user_id == claims.sub && sessions::is_open(session, now))
        .ok_or_else(access_token::invalid)?;
    let user = sessions::live_user(reader, &session.user_id).await?;
    let user = user.ok_or_else(access_token::invalid)?;
    Ok(Caller {
        workspace_id: session.workspace_id,
        credential_id: session.id,
        scopes: user.role.scopes(),
        person: Some(Person {
            user_id: user.id,
            role: user.role,
        }),
        expire_time: Some(session.expire_time),
    })
}

async fn of_api_token(context: &Context, secret: &str) -> Result<Caller> {
    let hash = Secret::hash_of(secret).ok_or_else(access_token::invalid)?;
    let row = api_tokens::Entity::find()
        .filter(api_tokens::Column::SecretHash.eq(hash))
        .one(context.store.reader())
        .await?
        .filter(|row| row.revoke_time.is_none())
        .ok_or_else(access_token::invalid)?;
    if row.expire_time.is_some() {
        links::require(&row, context.store.now().await?)?;
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
        credential_id: token.id,
        person: None,
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

/// Returns whether the caller's API token or session is still valid. Unlike for links, a successor of a revoked token
/// does not count.
pub async fn is_live(context: &Context, caller: &Caller) -> Result<bool> {
    let (now, reader) = (context.store.now().await?, context.store.reader());
    if caller.person.is_some() {
        return links::is_person_live(reader, &caller.credential_id, now).await;
    }
    let row = api_tokens::Entity::find_by_id(&caller.credential_id)
        .one(reader)
        .await?;
    Ok(row.is_some_and(|row| links::require(&row, now).is_ok()))
}

/// Reads [`Caller::expire_time`] again, because each refresh extends a session.
pub async fn expire_time(context: &Context, caller: &Caller) -> Result<Option<Millis>> {
    if caller.person.is_none() {
        return Ok(caller.expire_time);
    }
    let session = user_sessions::Entity::find_by_id(&caller.credential_id);
    let session = session.one(context.store.reader()).await?;
    Ok(session.map_or(caller.expire_time, |session| Some(session.expire_time)))
}
