//! Making and listing API tokens.

use futures::FutureExt;
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::{ApiToken, Caller, Scope, Scopes, Secret, links};
use crate::clock::{Millis, rfc3339};
use crate::events::{Kind, PendingEvent};
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::entities::api_tokens;
use crate::{Domain, Error, Reason, Result, Violation, failpoints, is_plain, requests};

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

/// Makes a token with at most the caller's own scopes, which expires with the caller's own token at the latest.
///
/// # Errors
/// All violations at once; SCOPE_NOT_GRANTABLE; TOKEN_INVALID and TOKEN_EXPIRED where the caller's token ends meanwhile.
pub async fn create_token(domain: &Domain, caller: &Caller, new: NewToken) -> Result<CreatedToken> {
    let scopes = check(domain, caller, &new).await?;
    if let Some(lacking) = scopes.iter().find(|scope| !caller.scopes.contains(*scope)) {
        let message = format!(
            "your own token lacks scope {}, so that it cannot give it",
            lacking.name()
        );
        return Err(Error::rejected(Reason::ScopeNotGrantable, message).with("scope", lacking.name()));
    }
    store(domain, &caller.owner_id, Some(caller), new, scopes).await
}

/// Makes the token that an instance begins with. It may do everything and does not expire.
pub async fn first_token(domain: &Domain, owner_id: &str) -> Result<Secret> {
    let new = NewToken {
        name: "first token".to_owned(),
        scopes: Vec::new(),
        expire_time: None,
        request_id: None,
    };
    let created = store(domain, owner_id, None, new, Scopes::all()).await?;
    created
        .secret
        .ok_or_else(|| Error::Internal("a new token has no secret".to_owned()))
}

async fn check(domain: &Domain, caller: &Caller, new: &NewToken) -> Result<Scopes> {
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
    if let (Some(time), Some(own)) = (new.expire_time, caller.expire_time)
        && time > own
        && !failpoints::disables("expiry")
    {
        violations.push(Violation::new(
            "expire_time",
            format!("must not be after {}, when your own token expires", rfc3339(own)),
        ));
    }
    if violations.is_empty() {
        Ok(scopes.into_iter().collect())
    } else {
        Err(Error::Invalid(violations))
    }
}

async fn store(
    domain: &Domain,
    owner_id: &str,
    parent: Option<&Caller>,
    new: NewToken,
    scopes: Scopes,
) -> Result<CreatedToken> {
    let secret = Secret::generate(&*domain.ids);
    let (hash, owner_id) = (secret.hash(), owner_id.to_owned());
    let scopes = serde_json::to_string(&scopes)?;
    let parent_id = parent.map(|caller| caller.token_id.clone());
    let own = parent
        .and_then(|caller| caller.expire_time)
        .filter(|_| !failpoints::disables("expiry"));
    let (id, made) = domain
        .store
        .write(move |tx| {
            let (new, hash, owner_id, scopes) = (new.clone(), hash.clone(), owner_id.clone(), scopes.clone());
            let parent_id = parent_id.clone();
            async move {
                let request_id = new.request_id.as_deref();
                if let Some(id) = requests::check(tx, &owner_id, request_id, CREATE, &new).await? {
                    return Ok((id, false));
                }
                if let Some(parent_id) = &parent_id {
                    links::lock_live(tx, &owner_id, parent_id).await?;
                }
                let row = api_tokens::Model {
                    id: tx.id(),
                    owner_id: owner_id.clone(),
                    name: new.name.trim().to_owned(),
                    secret_hash: hash,
                    scopes,
                    create_time: tx.now().await?,
                    expire_time: new.expire_time.or(own),
                    last_use_time: None,
                    revoke_time: None,
                    sequence: 0,
                    parent_id,
                    successor_id: None,
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

pub(super) async fn read(domain: &Domain, id: &str) -> Result<ApiToken> {
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
