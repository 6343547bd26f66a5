//! `CreateApiToken`, `ListApiTokens`, `RevokeApiToken`.

use tonic::{Request, Response};
use vintedbot_domain::identity::{self, NewToken, Revoke};
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{CHOICES_MAX, Fields, api_token};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn create(
    state: &ServerState,
    request: Request<v1::CreateApiTokenRequest>,
) -> Result<Response<v1::CreateApiTokenResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let new = read_new(request.into_inner())?;
    let created = identity::create_token(&state.context, &caller, new).await?;
    Ok(Response::new(v1::CreateApiTokenResponse {
        api_token: Some(api_token::to_proto(created.token)),
        secret: created
            .secret
            .map(|secret| secret.expose().to_owned())
            .unwrap_or_default(),
    }))
}

fn read_new(request: v1::CreateApiTokenRequest) -> Result<NewToken, Problem> {
    let mut fields = Fields::default();
    let new = NewToken {
        name: request.name,
        scopes: fields.list("scopes", CHOICES_MAX, request.scopes),
        expire_time: fields.time("expire_time", request.expire_time),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(new)
}

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListApiTokensRequest>,
) -> Result<Response<v1::ListApiTokensResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = identity::list_tokens(&state.context, &caller, request.show_revoked, &page).await?;
    Ok(Response::new(v1::ListApiTokensResponse {
        api_tokens: page.items.into_iter().map(api_token::to_proto).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn revoke(
    state: &ServerState,
    request: Request<v1::RevokeApiTokenRequest>,
) -> Result<Response<v1::RevokeApiTokenResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let revoke = Revoke {
        id: fields.id("id", request.id),
        successor_id: fields.optional_id("successor_id", request.successor_id),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let token = identity::revoke_token(&state.context, &caller, fields.done(revoke)?).await?;
    Ok(Response::new(v1::RevokeApiTokenResponse {
        api_token: Some(api_token::to_proto(token)),
    }))
}
