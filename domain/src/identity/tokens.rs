//! Creating and listing API tokens.

use futures::FutureExt;
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use vintedbot_marketplace::text;

use super::{ApiToken, Caller, Scope, Scopes, Secret, links, user};
use crate::clock::{Millis, rfc3339};
use crate::events::{Kind, PendingEvent};
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::OfWorkspace;
use crate::store::entities::api_tokens;
use crate::{Context, Error, Reason, Result, Violation, failpoints, requests};

/// The parameters of a new token.
#[derive(Clone, Debug, Serialize)]
pub struct NewToken {
    pub name: String,
    /// Names of scopes.
    pub scopes: Vec<String>,
    pub expire_time: Option<Millis>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// A created token.
#[derive(Clone, Debug)]
pub struct CreatedToken {
    pub token: ApiToken,
    /// Shown only in this answer, because it is not stored. Absent in the answer to a repeated call.
    pub secret: Option<Secret>,
}

const CREATE: &str = "CreateApiToken";

/// Creates a token with at most the caller's scopes. It expires with the caller's API token at the latest; a token of a
/// signed-in person does not expire with the session.
///
/// # Errors
/// All violations at once; SCOPE_NOT_GRANTABLE; TOKEN_INVALID or TOKEN_EXPIRED if the caller's token ends during the
/// call.
pub async fn create_token(context: &Context, caller: &Caller, new: NewToken) -> Result<CreatedToken> {
    let new = NewToken {
        name: text::normalize_name(&new.name).into_owned(),
        ..new
    };
    let scopes = check(context, caller, &new).await?;
    if let Some(lacking) = scopes.iter().find(|scope| !caller.scopes.contains(*scope)) {
        let message = format!("you lack scope {}, so that you cannot grant it", lacking.name());
        return Err(Error::rejected(Reason::ScopeNotGrantable, message).with("scope", lacking.name()));
    }
    store(context, &caller.workspace_id, Some(caller), new, scopes).await
}

/// Creates the first token of an instance. It has all scopes and does not expire.
pub async fn first_token(context: &Context, workspace_id: &str) -> Result<Secret> {
    let new = NewToken {
        name: "first token".to_owned(),
        scopes: Vec::new(),
        expire_time: None,
        request_id: None,
    };
    let created = store(context, workspace_id, None, new, Scopes::all()).await?;
    created
        .secret
        .ok_or_else(|| Error::Internal("a new token has no secret".to_owned()))
}

async fn check(context: &Context, caller: &Caller, new: &NewToken) -> Result<Scopes> {
    let mut violations = Vec::new();
    let name = new.name.trim();
    violations.extend(user::check_name("name", name));
    if new.scopes.is_empty() {
        violations.push(Violation::new("scopes", "at least one is required"));
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
        && time <= context.store.now().await?
    {
        violations.push(Violation::new("expire_time", "must be in the future"));
    }
    if let (Some(time), Some(own)) = (new.expire_time, caller.creations_until())
        && time > own
        && !failpoints::disables("expiry")
    {
        violations.push(Violation::new(
            "expire_time",
            format!("must not be after {}, when your token expires", rfc3339(own)),
        ));
    }
    if violations.is_empty() {
        Ok(scopes.into_iter().collect())
    } else {
        Err(Error::Invalid(violations))
    }
}

async fn store(
    context: &Context,
    workspace_id: &str,
    parent: Option<&Caller>,
    new: NewToken,
    scopes: Scopes,
) -> Result<CreatedToken> {
    let secret = Secret::generate(&*context.ids);
    let (hash, workspace_id) = (secret.hash(), workspace_id.to_owned());
    let scopes = serde_json::to_string(&scopes)?;
    let parent_id = parent.map(|caller| caller.creator_id().to_owned());
    let own = parent
        .and_then(Caller::creations_until)
        .filter(|_| !failpoints::disables("expiry"));
    let parent = parent.cloned();
    let (id, made) = context
        .store
        .write(move |tx| {
            let (new, hash, workspace_id, scopes) =
                (new.clone(), hash.clone(), workspace_id.clone(), scopes.clone());
            let (parent, parent_id) = (parent.clone(), parent_id.clone());
            async move {
                let request_id = new.request_id.as_deref();
                if let Some(id) = requests::check(tx, &workspace_id, request_id, CREATE, &new).await? {
                    return Ok((id, false));
                }
                if let Some(parent) = &parent {
                    links::lock_live(tx, parent).await?;
                }
                let row = api_tokens::Model {
                    id: tx.id(),
                    workspace_id: workspace_id.clone(),
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
                requests::remember(tx, &workspace_id, request_id, CREATE, &new, &id).await?;
                Ok((id, true))
            }
            .boxed()
        })
        .await?;
    Ok(CreatedToken {
        token: read(context, &id).await?,
        secret: made.then_some(secret),
    })
}

pub(super) async fn read(context: &Context, id: &str) -> Result<ApiToken> {
    let row = api_tokens::Entity::find_by_id(id)
        .one(context.store.reader())
        .await?;
    row.map(ApiToken::from)
        .ok_or_else(|| Error::not_found("API token", id))
}

/// Lists the workspace's tokens, newest first. Revoked and expired tokens are included only if `show_revoked` is set.
pub async fn list_tokens(
    context: &Context,
    caller: &Caller,
    show_revoked: bool,
    page: &PageRequest,
) -> Result<Page<ApiToken>> {
    use api_tokens::Column;
    let method = (caller.workspace_id.as_str(), "ListApiTokens");
    let query_page =
        PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, &show_revoked, page)?;
    let mut query = api_tokens::Entity::find().of_workspace(&caller.workspace_id);
    if !show_revoked {
        let now = context.store.now().await?;
        let unexpired = Condition::any()
            .add(Column::ExpireTime.is_null())
            .add(Column::ExpireTime.gt(now));
        query = query.filter(Column::RevokeTime.is_null()).filter(unexpired);
    }
    if let Some(condition) = query_page.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(query_page.to_read())
        .all(context.store.reader())
        .await?;
    let tokens = rows.into_iter().map(ApiToken::from).collect();
    query_page.close(&context.keys, tokens, |token| {
        (token.create_time, token.id.clone())
    })
}
