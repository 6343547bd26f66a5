//! Sessions of people: their tokens, `RefreshSession`, `SignOut`, `ListUserSessions`, `RevokeUserSession`.
//!
//! Each refresh raises the session's generation, and with it both tokens change. The immediate predecessor of a refresh
//! token returns the same new tokens for 30 seconds, because the response with them may be lost. Any other use of an
//! old refresh token means that two parties hold it, so the session ends.

use futures::FutureExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Caller, Client, refresh_token, user};
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent, Resource, ResourceType};
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::entities::user_sessions::{Column, Entity, Model};
use crate::store::entities::users;
use crate::store::{OfWorkspace, Store, Tx};
use crate::{Context, Error, Reason, Result, failpoints};

/// How long the immediate predecessor of a refresh token returns the same new tokens.
const GRACE: Millis = 30_000;
/// The maximum number of open sessions of a person. All of them can end in one transaction.
const SESSIONS_MAX: u64 = 1_000;

/// A session of a signed-in person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSession {
    pub id: String,
    pub workspace_id: String,
    pub user_id: String,
    /// Empty: unknown.
    pub device: String,
    /// The IP address of the last sign-in or refresh. Empty: unknown.
    pub address: String,
    pub create_time: Millis,
    pub last_use_time: Millis,
    pub expire_time: Millis,
    pub revoke_time: Option<Millis>,
    pub sequence: i64,
}

impl From<Model> for UserSession {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            user_id: row.user_id,
            device: row.device,
            address: row.address,
            create_time: row.create_time,
            last_use_time: row.last_use_time,
            expire_time: row.expire_time,
            revoke_time: row.revoke_time,
            sequence: row.sequence,
        }
    }
}

impl Resource for UserSession {
    const TYPE: ResourceType = ResourceType::UserSession;
    fn id(&self) -> &str {
        &self.id
    }
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        None
    }
}

/// The tokens of a session. `Debug` does not print them.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionTokens {
    pub access_token: Zeroizing<String>,
    pub access_expire_time: Millis,
    pub refresh_token: Zeroizing<String>,
    pub refresh_expire_time: Millis,
}

impl std::fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionTokens")
    }
}

/// Returns the current tokens of a session. They depend only on its row.
pub(super) fn issue(context: &Context, row: &Model) -> Result<SessionTokens> {
    let tokens = &context.people.access_tokens;
    let (access_token, access_expire_time) =
        tokens.issue(&context.keys, &row.user_id, &row.id, row.rotate_time)?;
    Ok(SessionTokens {
        access_token,
        access_expire_time,
        refresh_token: refresh_token::issue(&context.keys, &row.id, row.generation),
        refresh_expire_time: row.expire_time,
    })
}

/// Starts a session of a person, whose row is locked.
pub(super) async fn start(tx: &Tx, user: &users::Model, client: &Client, lifetime: Millis) -> Result<Model> {
    end_oldest(tx, &user.id).await?;
    let now = tx.now().await?;
    let row = Model {
        id: tx.id(),
        workspace_id: user.workspace_id.clone(),
        user_id: user.id.clone(),
        device: client.device.clone(),
        address: address_of(client),
        generation: 0,
        rotate_time: now,
        create_time: now,
        last_use_time: now,
        expire_time: now + lifetime,
        revoke_time: None,
        sequence: 0,
    };
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    Ok(row)
}

fn address_of(client: &Client) -> String {
    client
        .address
        .map(|address| address.to_string())
        .unwrap_or_default()
}

/// The outcome of a refresh. A refusal is no error of the transaction, because `Reused` commits the end of the session.
enum Refreshed {
    Tokens(Box<Model>),
    Invalid,
    Reused,
}

/// Returns new tokens for a session.
///
/// # Errors
/// REFRESH_TOKEN_INVALID; REFRESH_TOKEN_REUSED, which ends the session.
pub async fn refresh_session(
    context: &Context,
    client: &Client,
    refresh_token: &str,
) -> Result<SessionTokens> {
    let Some((id, generation)) = refresh_token::verify(&context.keys, refresh_token) else {
        return Err(refresh_invalid());
    };
    let (address, lifetime) = (address_of(client), context.settings.people.session_ms);
    let refreshed = context
        .store
        .write(move |tx| {
            let (id, address) = (id.clone(), address.clone());
            async move { refresh(tx, &id, generation, address, lifetime).await }.boxed()
        })
        .await?;
    match refreshed {
        Refreshed::Tokens(row) => issue(context, &row),
        Refreshed::Invalid => Err(refresh_invalid()),
        Refreshed::Reused => Err(Error::rejected(
            Reason::RefreshTokenReused,
            "the refresh token was used before, so it may be stolen; the session has ended, sign in again",
        )),
    }
}

async fn refresh(tx: &Tx, id: &str, generation: i64, address: String, lifetime: Millis) -> Result<Refreshed> {
    let row = tx.locked(Entity::find_by_id(id)).one(tx).await?;
    let now = tx.now().await?;
    let Some(mut row) = row.filter(|row| is_open(row, now)) else {
        return Ok(Refreshed::Invalid);
    };
    if live_user(tx, &row.user_id).await?.is_none() || generation > row.generation {
        return Ok(Refreshed::Invalid);
    }
    if generation == row.generation {
        row.generation += 1;
        row.rotate_time = now;
        row.last_use_time = now;
        row.expire_time = now + lifetime;
        row.address = address;
        row.clone().into_active_model().reset_all().update(tx).await?;
        return Ok(Refreshed::Tokens(row.into()));
    }
    let is_predecessor = generation + 1 == row.generation && now - row.rotate_time <= GRACE;
    if (is_predecessor && !failpoints::disables("refresh_grace")) || failpoints::disables("refresh_reuse") {
        return Ok(Refreshed::Tokens(row.into()));
    }
    end(tx, row, now).await?;
    Ok(Refreshed::Reused)
}

fn refresh_invalid() -> Error {
    Error::rejected(
        Reason::RefreshTokenInvalid,
        "the refresh token is missing, malformed or unknown, or its session has ended; sign in again",
    )
}

/// Returns whether a session has neither ended nor expired.
pub(super) fn is_open(row: &Model, now: Millis) -> bool {
    row.revoke_time.is_none() && row.expire_time > now
}

/// Reads a person who may sign in.
pub(super) async fn live_user(
    connection: &impl sea_orm::ConnectionTrait,
    id: &str,
) -> Result<Option<users::Model>> {
    let user = users::Entity::find_by_id(id).one(connection).await?;
    Ok(user.filter(|user| user.disable_time.is_none()))
}

/// Ends a session and the streams that were opened in it.
async fn end(tx: &Tx, mut row: Model, now: Millis) -> Result<()> {
    row.revoke_time = Some(now);
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(
        Kind::UserSessionEnded,
        &UserSession::from(row),
    )?);
    Ok(())
}

/// Ends all sessions of a person, except one.
pub(super) async fn end_all(tx: &Tx, user_id: &str, except: Option<&str>) -> Result<()> {
    let now = tx.now().await?;
    let open = Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::RevokeTime.is_null())
        .filter(Column::ExpireTime.gt(now))
        .order_by_asc(Column::Id);
    for row in tx.locked(open).all(tx).await? {
        if except != Some(row.id.as_str()) {
            end(tx, row, now).await?;
        }
    }
    Ok(())
}

/// Deletes all sessions of a person. The events of their end have no content.
pub(super) async fn remove_all(tx: &Tx, user_id: &str) -> Result<()> {
    let now = tx.now().await?;
    let all = Entity::find()
        .filter(Column::UserId.eq(user_id))
        .order_by_asc(Column::Id);
    for row in tx.locked(all).all(tx).await? {
        if is_open(&row, now) {
            tx.emit(PendingEvent::gone(
                Kind::UserSessionEnded,
                &UserSession::from(row),
            ));
        }
    }
    let all = Entity::delete_many().filter(Column::UserId.eq(user_id));
    all.exec(tx).await?;
    Ok(())
}

/// Ends the oldest sessions of a person, so that the number of open ones stays bounded.
async fn end_oldest(tx: &Tx, user_id: &str) -> Result<()> {
    let now = tx.now().await?;
    let surplus = Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::RevokeTime.is_null())
        .filter(Column::ExpireTime.gt(now))
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .offset(SESSIONS_MAX - 1);
    for row in tx.locked(surplus.limit(SESSIONS_MAX)).all(tx).await? {
        end(tx, row, now).await?;
    }
    Ok(())
}

/// Ends the caller's session, or all sessions of the caller.
///
/// # Errors
/// PERSON_REQUIRED.
pub async fn sign_out(context: &Context, caller: &Caller, everywhere: bool) -> Result<()> {
    let user_id = caller.person()?.user_id.clone();
    if !everywhere {
        revoke_user_session(context, caller, &caller.credential_id).await?;
        return Ok(());
    }
    let workspace_id = caller.workspace_id.clone();
    context
        .store
        .write(move |tx| {
            let (workspace_id, user_id) = (workspace_id.clone(), user_id.clone());
            async move {
                // A concurrent sign-in waits for this lock, and so starts its session after these ended.
                user::lock(tx, &workspace_id, &user_id).await?;
                end_all(tx, &user_id, None).await
            }
            .boxed()
        })
        .await
}

/// Lists the caller's sessions that have not ended, newest first.
///
/// # Errors
/// PERSON_REQUIRED.
pub async fn list_user_sessions(
    context: &Context,
    caller: &Caller,
    page: &PageRequest,
) -> Result<Page<UserSession>> {
    let user_id = caller.person()?.user_id.as_str();
    let method = (caller.workspace_id.as_str(), "ListUserSessions");
    let query_page = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, &user_id, page)?;
    let mut query = Entity::find()
        .of_workspace(&caller.workspace_id)
        .filter(Column::UserId.eq(user_id))
        .filter(
            Condition::all()
                .add(Column::RevokeTime.is_null())
                .add(Column::ExpireTime.gt(context.store.now().await?)),
        );
    if let Some(condition) = query_page.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(query_page.to_read())
        .all(context.store.reader())
        .await?;
    let sessions = rows.into_iter().map(UserSession::from).collect();
    query_page.close(&context.keys, sessions, |session| {
        (session.create_time, session.id.clone())
    })
}

/// Ends a session of the caller. Ending an ended session changes nothing.
///
/// # Errors
/// PERSON_REQUIRED; NOT_FOUND, also for a session of another person.
pub async fn revoke_user_session(context: &Context, caller: &Caller, id: &str) -> Result<UserSession> {
    let (user_id, id) = (caller.person()?.user_id.clone(), id.to_owned());
    let workspace_id = caller.workspace_id.clone();
    let read = id.clone();
    context
        .store
        .write(move |tx| {
            let (workspace_id, user_id, id) = (workspace_id.clone(), user_id.clone(), id.clone());
            async move {
                let row = Entity::find_by_id(&id)
                    .of_workspace(&workspace_id)
                    .filter(Column::UserId.eq(user_id));
                let row = tx.locked(row).one(tx).await?;
                let row = row.ok_or_else(|| Error::not_found("session", &id))?;
                let now = tx.now().await?;
                if is_open(&row, now) {
                    end(tx, row, now).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await?;
    let row = Entity::find_by_id(&read).one(context.store.reader()).await?;
    row.map(UserSession::from)
        .ok_or_else(|| Error::not_found("session", &read))
}

/// Removes sessions that expired or ended before `now`. Returns their number.
pub(super) async fn purge(store: &Store, now: Millis) -> Result<u64> {
    store
        .write(move |tx| {
            async move {
                let ended = Condition::any()
                    .add(Column::ExpireTime.lte(now))
                    .add(Column::RevokeTime.lte(now));
                let gone = Entity::delete_many().filter(ended).exec(tx).await?;
                Ok(gone.rows_affected)
            }
            .boxed()
        })
        .await
}
