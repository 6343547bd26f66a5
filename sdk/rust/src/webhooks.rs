//! Webhooks: events sent to the caller's addresses.

use vintedbot_proto::v1::webhook_service_client::WebhookServiceClient;
use vintedbot_proto::v1::{
    CreateEndpointRequest, CreateEndpointResponse, DeleteEndpointRequest, DisableEndpointRequest,
    EnableEndpointRequest, GetDeliveryRequest, GetDeliveryResponse, GetEndpointRequest,
    ListDeliveriesRequest, ListEndpointsRequest, ReplayDeliveriesRequest, ReplayDeliveryRequest,
    RotateSecretRequest, RotateSecretResponse, SendTestRequest, UpdateEndpointRequest, WebhookDelivery,
    WebhookEndpoint,
};

use crate::call::{Calls, Present as _, call};
use crate::{Paged, Result};

/// `WebhookService`; see [`Client::webhooks`](crate::Client::webhooks).
#[derive(Clone)]
pub struct Webhooks {
    pub(crate) calls: Calls,
}

impl Webhooks {
    /// Creates an endpoint that receives events of these types from now on, or of all types if the list is empty. Only
    /// this response contains the secret.
    pub async fn create(
        &self,
        url: impl Into<String>,
        event_types: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<CreateEndpointResponse> {
        let endpoint = WebhookEndpoint {
            url: url.into(),
            event_types: event_types.into_iter().map(Into::into).collect(),
            ..Default::default()
        };
        let request = CreateEndpointRequest {
            endpoint: Some(endpoint),
            ..Default::default()
        };
        self.create_with(request).await
    }

    /// Creates an endpoint with all options of the request.
    pub async fn create_with(&self, request: CreateEndpointRequest) -> Result<CreateEndpointResponse> {
        self.calls
            .change(request, call!(WebhookServiceClient::create_endpoint))
            .await
    }

    /// Lists all endpoints, newest first.
    pub fn list(&self) -> Paged<WebhookEndpoint> {
        self.calls.pages(
            ListEndpointsRequest::default(),
            call!(WebhookServiceClient::list_endpoints),
        )
    }

    /// Returns one endpoint.
    pub async fn get(&self, id: impl Into<String>) -> Result<WebhookEndpoint> {
        let request = GetEndpointRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(WebhookServiceClient::get_endpoint))
            .await?;
        answer.endpoint.present("endpoint")
    }

    /// Changes an endpoint; see [`mask`](crate::mask).
    pub async fn update(&self, request: UpdateEndpointRequest) -> Result<WebhookEndpoint> {
        let answer = self
            .calls
            .change(request, call!(WebhookServiceClient::update_endpoint))
            .await?;
        answer.endpoint.present("endpoint")
    }

    /// Removes an endpoint and its deliveries.
    pub async fn delete(&self, id: impl Into<String>) -> Result<()> {
        let request = DeleteEndpointRequest {
            id: id.into(),
            ..Default::default()
        };
        self.calls
            .change(request, call!(WebhookServiceClient::delete_endpoint))
            .await?;
        Ok(())
    }

    /// Disables an endpoint. Repeating the call has no further effect.
    pub async fn disable(&self, id: impl Into<String>) -> Result<WebhookEndpoint> {
        let request = DisableEndpointRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(WebhookServiceClient::disable_endpoint))
            .await?;
        answer.endpoint.present("endpoint")
    }

    /// Enables an endpoint. Events that it missed are sent too.
    pub async fn enable(&self, id: impl Into<String>) -> Result<WebhookEndpoint> {
        let request = EnableEndpointRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(WebhookServiceClient::enable_endpoint))
            .await?;
        answer.endpoint.present("endpoint")
    }

    /// Gives an endpoint a new secret. The old secret also signs for one day.
    pub async fn rotate_secret(&self, id: impl Into<String>) -> Result<RotateSecretResponse> {
        let request = RotateSecretRequest {
            id: id.into(),
            ..Default::default()
        };
        self.calls
            .change(request, call!(WebhookServiceClient::rotate_secret))
            .await
    }

    /// Sends a test event to an endpoint.
    pub async fn send_test(&self, endpoint_id: impl Into<String>) -> Result<WebhookDelivery> {
        let request = SendTestRequest {
            endpoint_id: endpoint_id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(WebhookServiceClient::send_test))
            .await?;
        answer.delivery.present("delivery")
    }

    /// Lists deliveries, newest first.
    pub fn deliveries(&self, request: ListDeliveriesRequest) -> Paged<WebhookDelivery> {
        self.calls
            .pages(request, call!(WebhookServiceClient::list_deliveries))
    }

    /// Returns one delivery, with its body and its attempts.
    pub async fn delivery(&self, id: impl Into<String>) -> Result<GetDeliveryResponse> {
        let request = GetDeliveryRequest { id: id.into() };
        self.calls
            .read(request, call!(WebhookServiceClient::get_delivery))
            .await
    }

    /// Sends one delivery again, with the same `webhook-id`.
    pub async fn replay(&self, id: impl Into<String>) -> Result<WebhookDelivery> {
        let request = ReplayDeliveryRequest {
            id: id.into(),
            ..Default::default()
        };
        let answer = self
            .calls
            .change(request, call!(WebhookServiceClient::replay_delivery))
            .await?;
        answer.delivery.present("delivery")
    }

    /// Sends all events of a time range to an endpoint again. Returns the number of deliveries.
    pub async fn replay_window(&self, request: ReplayDeliveriesRequest) -> Result<i64> {
        let answer = self
            .calls
            .change(request, call!(WebhookServiceClient::replay_deliveries))
            .await?;
        Ok(answer.replayed)
    }
}
