//! Making, listing and revoking API tokens.

use futures::FutureExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::Serialize;

use super::{ApiToken, Caller, Scope, Scopes, Secret};
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::Tx;
use crate::store::entities::api_tokens;
use crate::{Domain, Error, Reason, Result, Violation, is_plain, requests};

/// The longest name, in characters.
const NAME_MAX: usize = 100;

/// What is known of a token that is to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewToken {
    pub name: String,
    /// Names of scopes.
    pub scopes: Vec<String>,
    pub expire_time: Option<Millis>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// A token that was made.
#[derive(Clone, Debug)]
pub struct CreatedToken {
    pub token: ApiToken,
    /// Shown this once. Absent in the answer to a repeated call: it is not kept.
    pub secret: Option<Secret>,
}

const CREATE: &str = "CreateApiToken";

/// Makes a token with at most the caller's own scopes.
///
/// # Errors
/// All violations at once; SCOPE_NOT_GRANTABLE.
pub async fn create_token(domain: &Domain, caller: &Caller, new: NewToken) -> Result<CreatedToken> {
    let scopes = check(domain, &new).await?;
    if let Some(lacking) = scopes.iter().find(|scope| !caller.scopes.contains(*scope)) {
        let message = format!(
            "your own token lacks scope {}, so that it cannot give it",
            lacking.name()
        );
        return Err(Error::rejected(Reason::ScopeNotGrantable, message).with("scope", lacking.name()));
    }
    store(domain, &caller.owner_id, new, scopes).await
}

/// Makes the token that an instance begins with. It may do everything and does not expire.
pub async fn first_token(domain: &Domain, owner_id: &str) -> Result<Secret> {
    let new = NewToken {
        name: "first token".to_owned(),
        scopes: Vec::new(),
        expire_time: None,
        request_id: None,
    };
    let created = store(domain, owner_id, new, Scopes::all()).await?;
    created
        .secret
        .ok_or_else(|| Error::Internal("a new token has no secret".to_owned()))
}

async fn check(domain: &Domain, new: &NewToken) -> Result<Scopes> {
    let mut violations = Vec::new();
    if !(1..=NAME_MAX).contains(&new.name.trim().chars().count()) || !is_plain(&new.name) {
        violations.push(Violation::new(
            "name",
            format!("must have 1 to {NAME_MAX} characters, none of them a control character"),
        ));
    }
    if new.scopes.is_empty() {
        violations.push(Violation::new("scopes", "at least one is needed"));
    }
    let mut scopes = Vec::new();
    for (at, name) in new.scopes.iter().enumerate() {
        match Scope::from_name(name) {
            Some(scope) => scopes.push(scope),
            None => violations.push(Violation::new(
                format!("scopes[{at}]"),
                format!("there is no scope {name:?}"),
            )),
        }
    }
    if let Some(time) = new.expire_time
        && time <= domain.store.now().await?
    {
        violations.push(Violation::new("expire_time", "must lie in the future"));
    }
    if violations.is_empty() {
        Ok(scopes.into_iter().collect())
    } else {
        Err(Error::Invalid(violations))
    }
}

async fn store(domain: &Domain, owner_id: &str, new: NewToken, scopes: Scopes) -> Result<CreatedToken> {
    let secret = Secret::generate(&*domain.ids);
    let (hash, owner_id) = (secret.hash(), owner_id.to_owned());
    let scopes = serde_json::to_string(&scopes)?;
    let (id, made) = domain
        .store
        .write(move |tx| {
            let (new, hash, owner_id, scopes) = (new.clone(), hash.clone(), owner_id.clone(), scopes.clone());
            async move {
                let request_id = new.request_id.as_deref();
                if let Some(id) = requests::check(tx, &owner_id, request_id, CREATE, &new).await? {
                    return Ok((id, false));
                }
                let row = api_tokens::Model {
                    id: tx.id(),
                    owner_id: owner_id.clone(),
                    name: new.name.trim().to_owned(),
                    secret_hash: hash,
                    scopes,
                    create_time: tx.now().await?,
                    expire_time: new.expire_time,
                    last_use_time: None,
                    revoke_time: None,
                    sequence: 0,
                };
                let id = row.id.clone();
                api_tokens::Entity::insert(row.clone().into_active_model())
                    .exec_without_returning(tx)
                    .await?;
                tx.emit(PendingEvent::changed(
                    Kind::ApiTokenCreated,
                    &ApiToken::from(row),
                )?);
                requests::remember(tx, &owner_id, request_id, CREATE, &new, &id).await?;
                Ok((id, true))
            }
            .boxed()
        })
        .await?;
    Ok(CreatedToken {
        token: read(domain, &id).await?,
        secret: made.then_some(secret),
    })
}

async fn read(domain: &Domain, id: &str) -> Result<ApiToken> {
    let row = api_tokens::Entity::find_by_id(id)
        .one(domain.store.reader())
        .await?;
    row.map(ApiToken::from)
        .ok_or_else(|| Error::not_found("API token", id))
}

/// The owner's tokens, newest first; those that were revoked or have expired only where `show_revoked` is set.
pub async fn list_tokens(
    domain: &Domain,
    caller: &Caller,
    show_revoked: bool,
    page: &PageRequest,
) -> Result<Page<ApiToken>> {
    use api_tokens::Column;
    let method = (caller.owner_id.as_str(), "ListApiTokens");
    let window = Window::<Place>::open(&domain.keys, paging::RESOURCES, method, &show_revoked, page)?;
    let mut query = api_tokens::Entity::find().filter(Column::OwnerId.eq(caller.owner_id.as_str()));
    if !show_revoked {
        let now = domain.store.now().await?;
        let unexpired = Condition::any()
            .add(Column::ExpireTime.is_null())
            .add(Column::ExpireTime.gt(now));
        query = query.filter(Column::RevokeTime.is_null()).filter(unexpired);
    }
    if let Some(condition) = window.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(window.to_read())
        .all(domain.store.reader())
        .await?;
    let tokens = rows.into_iter().map(ApiToken::from).collect();
    window.close(&domain.keys, tokens, |token| {
        (token.create_time, token.id.clone())
    })
}

const REVOKE: &str = "RevokeApiToken";

/// Makes a token useless from now on. Revoking it again changes nothing.
pub async fn revoke_token(
    domain: &Domain,
    caller: &Caller,
    id: &str,
    request_id: Option<String>,
) -> Result<ApiToken> {
    requests::once(domain, caller, REVOKE, id, request_id, |tx, owner_id, id| {
        revoke(tx, owner_id, id).boxed()
    })
    .await?;
    read(domain, id).await
}

async fn revoke(tx: &Tx, owner_id: &str, id: &str) -> Result<()> {
    let row = tx.locked(api_tokens::Entity::find_by_id(id)).one(tx).await?;
    let row = row.filter(|row| row.owner_id == owner_id);
    let mut row = row.ok_or_else(|| Error::not_found("API token", id))?;
    if row.revoke_time.is_some() {
        return Ok(());
    }
    row.revoke_time = Some(tx.now().await?);
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(
        Kind::ApiTokenRevoked,
        &ApiToken::from(row),
    )?);
    Ok(())
}
