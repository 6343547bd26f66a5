//! `DisableEndpoint`, `EnableEndpoint`.

use tonic::{Request, Response};
use vintedbot_domain::webhooks;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, webhook};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn disable(
    state: &ServerState,
    request: Request<v1::DisableEndpointRequest>,
) -> Result<Response<v1::DisableEndpointResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let changed = webhooks::disable(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::DisableEndpointResponse {
        endpoint: Some(webhook::endpoint(changed)),
    }))
}

pub async fn enable(
    state: &ServerState,
    request: Request<v1::EnableEndpointRequest>,
) -> Result<Response<v1::EnableEndpointResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let changed = webhooks::enable(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::EnableEndpointResponse {
        endpoint: Some(webhook::endpoint(changed)),
    }))
}
