//! `ListDeliveries`, `GetDelivery`.

use tonic::{Request, Response};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::webhooks::{self, Filter};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{CHOICES_MAX, Fields, webhook};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListDeliveriesRequest>,
) -> Result<Response<v1::ListDeliveriesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let filter = Filter {
        endpoint_id: fields.optional_id("endpoint_id", request.endpoint_id),
        states: fields.enumerations("states", request.states, webhook::from_state),
        event_types: fields.list("event_types", CHOICES_MAX, request.event_types),
        start_time: fields.time("start_time", request.start_time),
        end_time: fields.time("end_time", request.end_time),
    };
    let filter = fields.done(filter)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = webhooks::list_deliveries(&state.context, &caller, &filter, &page).await?;
    Ok(Response::new(v1::ListDeliveriesResponse {
        deliveries: page.items.into_iter().map(webhook::delivery).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetDeliveryRequest>,
) -> Result<Response<v1::GetDeliveryResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let found = webhooks::get_delivery(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::GetDeliveryResponse {
        delivery: Some(webhook::delivery(found.delivery)),
        body: found.body.unwrap_or_default(),
        attempts: found.attempts.into_iter().map(webhook::attempt).collect(),
    }))
}
