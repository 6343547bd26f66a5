//! The types and bodies of webhook events.

use sea_orm::{ActiveEnum as _, Iterable as _};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Result;
use crate::clock::rfc3339;
use crate::events::{Event, Kind, ResourceType};
use crate::identity::Scopes;

/// The type of the event that `SendTest` sends.
pub const TEST: &str = "test";

/// Returns the type of an event kind: its name in lower case, with three exceptions.
pub fn type_of(kind: Kind) -> String {
    match kind {
        Kind::MessageReceived => "new_message_received".to_owned(),
        Kind::PublishJobPublished => "publish_job_complete".to_owned(),
        Kind::AccountSessionInvalidated => "session_invalidated".to_owned(),
        kind => kind.to_value().to_ascii_lowercase(),
    }
}

/// Returns all types, in the order of the kinds.
pub fn types() -> Vec<String> {
    Kind::iter().map(type_of).collect()
}

/// Renders an event as JSON for an endpoint with these scopes. The resource is omitted if the scopes do not include its
/// read scope.
///
/// The body never contains confirm tokens, secrets or cookies, because no resource contains them. File keys and signed
/// URLs of the site are removed from the resource.
pub fn body(event: &Event, scopes: &Scopes) -> Result<String> {
    let resource = if event.resource_type.is_readable(scopes) {
        let stored = serde_json::from_str(&event.payload)?;
        Some(public(event.resource_type, stored))
    } else {
        None
    };
    let data = Data {
        sequence: event.sequence,
        kind: event.kind,
        resource_type: event.resource_type,
        resource_id: &event.resource_id,
        account_id: event.account_id.as_deref(),
        thread_id: event.thread_id.as_deref(),
        resource,
    };
    render(&type_of(event.kind), event.time, data)
}

/// Removes the resource from a body if the scopes do not include its read scope.
pub fn narrow_body(body: String, resource_type: Option<ResourceType>, scopes: &Scopes) -> Result<String> {
    if resource_type.is_none_or(|resource_type| resource_type.is_readable(scopes)) {
        return Ok(body);
    }
    let mut value: Value = serde_json::from_str(&body)?;
    if let Some(data) = value["data"].as_object_mut() {
        data.remove("resource");
    }
    Ok(value.to_string())
}

/// Renders a test event as JSON.
pub fn test_body(endpoint_id: &str, time: i64) -> Result<String> {
    let data = json!({"endpoint_id": endpoint_id, "message": "This is a test."});
    render(TEST, time, data)
}

/// The `data` of a body, with the fields in reading order.
#[derive(Serialize)]
struct Data<'a> {
    sequence: i64,
    kind: Kind,
    resource_type: ResourceType,
    resource_id: &'a str,
    account_id: Option<&'a str>,
    thread_id: Option<&'a str>,
    /// The resource after the change. Omitted if the endpoint's scopes do not include its read scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Value>,
}

#[derive(Serialize)]
struct Body<'a, D> {
    r#type: &'a str,
    timestamp: String,
    data: D,
}

fn render(event_type: &str, time: i64, data: impl Serialize) -> Result<String> {
    let body = Body {
        r#type: event_type,
        timestamp: rfc3339(time),
        data,
    };
    Ok(serde_json::to_string(&body)?)
}

/// Converts a stored resource for receivers: times become RFC 3339, and internal fields are removed.
fn public(resource_type: ResourceType, stored: Value) -> Value {
    match stored {
        Value::Object(object) => {
            let fields = object.into_iter().filter_map(|(name, value)| {
                let hidden = match name.as_str() {
                    "workspace_id" | "screenshot_key" => true,
                    // The site's URL of a photo in a message is signed. Receivers fetch the photo by its `photo_id`.
                    "url" => resource_type == ResourceType::Message,
                    _ => false,
                };
                let is_time = name == "time"
                    || ["_time", "_until", "_since"]
                        .iter()
                        .any(|ending| name.ends_with(ending));
                let value = match value.as_i64().filter(|_| is_time) {
                    Some(time) => Value::String(rfc3339(time)),
                    None => public(resource_type, value),
                };
                (!hidden).then_some((name, value))
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(list) => list.into_iter().map(|one| public(resource_type, one)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_event_kind_has_exactly_one_webhook_type() {
        let types = types();
        let distinct: BTreeSet<_> = types.iter().collect();
        assert_eq!(distinct.len(), types.len());
        assert_eq!(types.len(), Kind::iter().count());
        assert!(!distinct.contains(&TEST.to_owned()));
        for asked in [
            "new_message_received",
            "publish_job_complete",
            "publish_job_failed",
            "session_invalidated",
        ] {
            assert!(distinct.contains(&asked.to_owned()), "{asked}");
        }
    }

    #[test]
    fn payload_omits_what_the_endpoint_may_not_read() {
        let event = Event {
            sequence: 7,
            time: 0,
            kind: Kind::MessageReceived,
            resource_type: ResourceType::Message,
            resource_id: "m".to_owned(),
            account_id: None,
            thread_id: None,
            payload: r#"{"workspace_id":"o","text":"hello","time":1000,"attachments":[{"url":"https://site/x?s=1","photo_id":"p"}]}"#.to_owned(),
        };
        let all = body(&event, &Scopes::all()).expect("JSON");
        let value: Value = serde_json::from_str(&all).expect("JSON");
        assert_eq!(value["type"], "new_message_received");
        assert_eq!(
            value["data"]["resource"],
            json!({"text": "hello", "time": "1970-01-01T00:00:01.000Z", "attachments": [{"photo_id": "p"}]})
        );
        let none = body(&event, &Scopes::default()).expect("JSON");
        assert!(!none.contains("hello") && !none.contains("resource\":"), "{none}");
    }
}
