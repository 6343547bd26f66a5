//! `WebhookService`: webhook endpoints and deliveries. The worker sends the requests.

mod deliveries;
mod endpoints;
mod replay;
mod switch;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use vintedbot_domain::webhooks::Targets;
use vintedbot_domain::{Error, Reason};
use vintedbot_proto::v1;
use vintedbot_proto::v1::webhook_service_server::{WebhookService, WebhookServiceServer};

use crate::errors::Problem;
use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_message_bytes;
    routes.add_service(WebhookServiceServer::new(Service(state.clone())).max_decoding_message_size(limit));
}

/// Returns the check of webhook addresses.
fn targets(state: &ServerState) -> Result<&dyn Targets, Problem> {
    let targets = state.config.webhook_targets.as_deref();
    Ok(targets.ok_or_else(|| {
        Error::rejected(
            Reason::WebhookAddressRefused,
            "this server cannot send webhooks; it was started without an egress client",
        )
    })?)
}

struct Service(ServerState);

macro_rules! calls {
    ($($name:ident($request:ident) -> $response:ident = $handler:path;)*) => {
        #[tonic::async_trait]
        impl WebhookService for Service {
            $(async fn $name(
                &self,
                request: Request<v1::$request>,
            ) -> Result<Response<v1::$response>, Status> {
                Ok($handler(&self.0, request).await?)
            })*
        }
    };
}

calls! {
    create_endpoint(CreateEndpointRequest) -> CreateEndpointResponse = endpoints::create;
    get_endpoint(GetEndpointRequest) -> GetEndpointResponse = endpoints::get;
    list_endpoints(ListEndpointsRequest) -> ListEndpointsResponse = endpoints::list;
    update_endpoint(UpdateEndpointRequest) -> UpdateEndpointResponse = endpoints::update;
    delete_endpoint(DeleteEndpointRequest) -> DeleteEndpointResponse = endpoints::delete;
    rotate_secret(RotateSecretRequest) -> RotateSecretResponse = endpoints::rotate_secret;
    disable_endpoint(DisableEndpointRequest) -> DisableEndpointResponse = switch::disable;
    enable_endpoint(EnableEndpointRequest) -> EnableEndpointResponse = switch::enable;
    send_test(SendTestRequest) -> SendTestResponse = replay::send_test;
    list_deliveries(ListDeliveriesRequest) -> ListDeliveriesResponse = deliveries::list;
    get_delivery(GetDeliveryRequest) -> GetDeliveryResponse = deliveries::get;
    replay_delivery(ReplayDeliveryRequest) -> ReplayDeliveryResponse = replay::one;
    replay_deliveries(ReplayDeliveriesRequest) -> ReplayDeliveriesResponse = replay::window;
}
