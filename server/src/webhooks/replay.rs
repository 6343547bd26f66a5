//! `SendTest`, `ReplayDelivery`, `ReplayDeliveries`.

use tonic::{Request, Response};
use vintedbot_domain::webhooks::{self, ReplayWindow};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{CHOICES_MAX, Fields, webhook};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn send_test(
    state: &ServerState,
    request: Request<v1::SendTestRequest>,
) -> Result<Response<v1::SendTestResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let endpoint_id = fields.id("endpoint_id", request.endpoint_id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (endpoint_id, request_id) = fields.done((endpoint_id, request_id))?;
    let delivery = webhooks::send_test(&state.context, &caller, &endpoint_id, request_id).await?;
    Ok(Response::new(v1::SendTestResponse {
        delivery: Some(webhook::delivery(delivery)),
    }))
}

pub async fn one(
    state: &ServerState,
    request: Request<v1::ReplayDeliveryRequest>,
) -> Result<Response<v1::ReplayDeliveryResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (id, request_id) = fields.done((id, request_id))?;
    let delivery = webhooks::replay(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::ReplayDeliveryResponse {
        delivery: Some(webhook::delivery(delivery)),
    }))
}

pub async fn window(
    state: &ServerState,
    request: Request<v1::ReplayDeliveriesRequest>,
) -> Result<Response<v1::ReplayDeliveriesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let endpoint_id = fields.id("endpoint_id", request.endpoint_id);
    let start_time = fields.required("start_time", request.start_time);
    let start_time = fields.time("start_time", start_time);
    let window = ReplayWindow {
        endpoint_id,
        start_time: start_time.unwrap_or_default(),
        end_time: fields.time("end_time", request.end_time),
        event_types: fields.list("event_types", CHOICES_MAX, request.event_types),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let window = fields.done(window)?;
    let replayed = webhooks::replay_window(&state.context, &caller, window).await?;
    Ok(Response::new(v1::ReplayDeliveriesResponse {
        replayed: i64::try_from(replayed).unwrap_or(i64::MAX),
    }))
}
