//! Webhook endpoints, deliveries and attempts.

use std::collections::HashMap;

use vintedbot_domain::webhooks::{
    Attempt, Delivery, DeliveryState, DisableReason, Endpoint, EndpointInput, EndpointState,
};
use vintedbot_proto::v1;
use vintedbot_proto::v1::webhook_delivery as delivery;
use vintedbot_proto::v1::webhook_endpoint as endpoint;

use super::{CHOICES_MAX, Fields, saturating_i32, saturating_u64, timestamp};

pub fn endpoint(source: Endpoint) -> v1::WebhookEndpoint {
    v1::WebhookEndpoint {
        id: source.id,
        url: source.url,
        description: source.description,
        event_types: source.event_types,
        ordered: source.ordered,
        state: match source.state {
            EndpointState::Enabled => endpoint::State::Enabled,
            EndpointState::Disabled => endpoint::State::Disabled,
        }
        .into(),
        disable_reason: match source.disable_reason {
            None => endpoint::DisableReason::Unspecified,
            Some(DisableReason::Person) => endpoint::DisableReason::Person,
            Some(DisableReason::Gone) => endpoint::DisableReason::Gone,
            Some(DisableReason::Failing) => endpoint::DisableReason::Failing,
            Some(DisableReason::TokenEnded) => endpoint::DisableReason::TokenEnded,
        }
        .into(),
        message: source.message,
        old_secret_expire_time: source.old_secret_expire_time.map(timestamp),
        failing_since: source.failing_since.map(timestamp),
        create_time: Some(timestamp(source.create_time)),
        update_time: Some(timestamp(source.update_time)),
        sequence: saturating_u64(source.sequence),
        api_token_id: source.api_token_id.unwrap_or_default(),
    }
}

/// Converts the fields of an endpoint that a caller may set. All other fields are output only.
pub fn input(fields: &mut Fields, source: v1::WebhookEndpoint) -> EndpointInput {
    EndpointInput {
        url: source.url,
        description: source.description,
        event_types: fields.list("endpoint.event_types", CHOICES_MAX, source.event_types),
        ordered: source.ordered,
    }
}

pub fn delivery(source: Delivery) -> v1::WebhookDelivery {
    v1::WebhookDelivery {
        id: source.id,
        endpoint_id: source.endpoint_id,
        webhook_id: source.webhook_id,
        event_type: source.event_type,
        event_sequence: saturating_u64(source.event_sequence.unwrap_or_default()),
        event_time: Some(timestamp(source.event_time)),
        state: match source.state {
            DeliveryState::Pending => delivery::State::Pending,
            DeliveryState::Delivered => delivery::State::Delivered,
            DeliveryState::Failed => delivery::State::Failed,
        }
        .into(),
        attempts: saturating_i32(source.attempts),
        next_attempt_time: source.next_attempt_time.map(timestamp),
        last_status: saturating_i32(source.last_status.unwrap_or_default()),
        create_time: Some(timestamp(source.create_time)),
        end_time: source.end_time.map(timestamp),
    }
}

/// Converts a state to filter by.
pub fn from_state(state: delivery::State) -> Option<DeliveryState> {
    match state {
        delivery::State::Unspecified => None,
        delivery::State::Pending => Some(DeliveryState::Pending),
        delivery::State::Delivered => Some(DeliveryState::Delivered),
        delivery::State::Failed => Some(DeliveryState::Failed),
    }
}

pub fn attempt(source: Attempt) -> v1::WebhookAttempt {
    v1::WebhookAttempt {
        number: saturating_i32(source.number),
        url: source.url,
        time: Some(timestamp(source.time)),
        duration_ms: source.duration_ms,
        request_headers: headers(source.request_headers),
        status: saturating_i32(source.status.unwrap_or_default()),
        response_headers: headers(source.response_headers),
        response_body: source.response_body,
        truncated: source.truncated,
        error: source.error.unwrap_or_default(),
    }
}

/// Converts headers to a map. Several values of one name are joined with commas, as in HTTP.
fn headers(list: Vec<(String, String)>) -> HashMap<String, String> {
    let mut map = HashMap::<String, String>::new();
    for (name, value) in list {
        map.entry(name)
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert(value);
    }
    map
}
