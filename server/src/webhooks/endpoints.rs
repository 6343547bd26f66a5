//! `CreateEndpoint`, `GetEndpoint`, `ListEndpoints`, `UpdateEndpoint`, `DeleteEndpoint`, `RotateSecret`.

use tonic::{Request, Response};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::webhooks::{self, NewEndpoint, Rotate, Secret, UpdateEndpoint};
use vintedbot_proto::v1;

use super::targets;
use crate::auth;
use crate::convert::{Fields, saturating_i64, webhook};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn create(
    state: &ServerState,
    request: Request<v1::CreateEndpointRequest>,
) -> Result<Response<v1::CreateEndpointResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let endpoint = fields.required("endpoint", request.endpoint).unwrap_or_default();
    let new = NewEndpoint {
        endpoint: webhook::input(&mut fields, endpoint),
        secret: given(request.secret),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let new = fields.done(new)?;
    let made = webhooks::create(&state.context, &caller, targets(state)?, new).await?;
    Ok(Response::new(v1::CreateEndpointResponse {
        endpoint: Some(webhook::endpoint(made.endpoint)),
        secret: shown(made.secret),
    }))
}

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetEndpointRequest>,
) -> Result<Response<v1::GetEndpointResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let found = webhooks::get(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::GetEndpointResponse {
        endpoint: Some(webhook::endpoint(found)),
    }))
}

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListEndpointsRequest>,
) -> Result<Response<v1::ListEndpointsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = webhooks::list(&state.context, &caller, &page).await?;
    Ok(Response::new(v1::ListEndpointsResponse {
        endpoints: page.items.into_iter().map(webhook::endpoint).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn update(
    state: &ServerState,
    request: Request<v1::UpdateEndpointRequest>,
) -> Result<Response<v1::UpdateEndpointResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let values = fields.required("endpoint", request.endpoint).unwrap_or_default();
    let update = UpdateEndpoint {
        id: fields.id("id", request.id),
        endpoint: webhook::input(&mut fields, values),
        mask: fields.mask("update_mask", request.update_mask),
        expected_sequence: request.expected_sequence.map(saturating_i64),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let update = fields.done(update)?;
    let changed = webhooks::update(&state.context, &caller, targets(state)?, update).await?;
    Ok(Response::new(v1::UpdateEndpointResponse {
        endpoint: Some(webhook::endpoint(changed)),
    }))
}

pub async fn delete(
    state: &ServerState,
    request: Request<v1::DeleteEndpointRequest>,
) -> Result<Response<v1::DeleteEndpointResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (id, request_id) = fields.done((id, request_id))?;
    webhooks::delete(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::DeleteEndpointResponse {}))
}

pub async fn rotate_secret(
    state: &ServerState,
    request: Request<v1::RotateSecretRequest>,
) -> Result<Response<v1::RotateSecretResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let rotate = Rotate {
        id: fields.id("id", request.id),
        secret: given(request.secret),
        old_secret_expire_time: fields.time("old_secret_expire_time", request.old_secret_expire_time),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let rotate = fields.done(rotate)?;
    let rotated = webhooks::rotate_secret(&state.context, &caller, rotate).await?;
    Ok(Response::new(v1::RotateSecretResponse {
        endpoint: Some(webhook::endpoint(rotated.endpoint)),
        secret: shown(rotated.secret),
    }))
}

fn given(secret: String) -> Option<String> {
    (!secret.is_empty()).then_some(secret)
}

fn shown(secret: Option<Secret>) -> String {
    secret
        .map(|secret| secret.expose().to_owned())
        .unwrap_or_default()
}
