//! Changes to a handler's answer: a captcha or an alert box in a page, emptied JSON, JSON with unknown fields.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{Asked, Challenge, Fired, Mutation, Operation};
use crate::ontology::text;
use crate::pages::{challenge, script_json};
use crate::validate::FieldError;

/// Returns `response` with the changes of the behaviours.
pub async fn spoilt(response: Response, fired: &Fired, asked: &Asked) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is = |wanted: &str| kind.is_some_and(|kind| kind.as_bytes().starts_with(wanted.as_bytes()));
    let (is_html, is_json) = (is("text/html"), is("application/json"));
    if is_html && asked.operation.is_page() {
        let (head, end) = insertions(fired, asked);
        if !(head.is_empty() && end.is_empty()) {
            return rewritten(response, |body| insert(&body, &head, &end)).await;
        }
    }
    let emptied = fired.any(|action| action.challenge == Some(Challenge::EmptiedJson));
    let odd_shapes = fired.any(|action| action.odd_shapes);
    let is_inbox = matches!(asked.operation, Operation::Inbox | Operation::Conversation);
    let twins = is_inbox && fired.any(|action| action.twin);
    let left_out: Vec<&str> = fired
        .iter()
        .flat_map(|action| &action.leave_out)
        .map(String::as_str)
        .collect();
    if !is_json || !(emptied || odd_shapes || twins || !left_out.is_empty()) {
        return response;
    }
    let spoil = |json: &mut Value| {
        if emptied {
            empty(json);
        }
        if odd_shapes {
            odd(json);
        }
        if twins {
            double(json);
        }
        leave_out(json, &left_out);
    };
    rewritten(response, |body| edited(&body, spoil)).await
}

async fn rewritten(response: Response, change: impl FnOnce(Bytes) -> Bytes) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let body = change(body.to_bytes());
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Body::from(body))
}

/// Returns the HTML for the beginning of a page's head and for the end of its body.
fn insertions(fired: &Fired, asked: &Asked) -> (String, String) {
    let (mut head, mut end) = (String::new(), String::new());
    if asked.operation.is_form() {
        let mutations: Vec<&Mutation> = fired.iter().flat_map(|action| &action.mutate).collect();
        if !mutations.is_empty() {
            let rules = script_json(&json!(mutations));
            head.push_str(&format!(
                r#"<script>self.practiceMutations={rules}</script><script src="/assets/mutate.js"></script>"#
            ));
        }
        if let Some(step) = fired.iter().find_map(|action| action.overlay_at) {
            let step = script_json(&json!(step));
            head.push_str(&format!("<script>self.practiceOverlayAt={step}</script>"));
        }
        let refusals: Vec<&FieldError> = fired.iter().flat_map(|action| &action.refuse_in_form).collect();
        if !refusals.is_empty() {
            let refusals = script_json(&json!(refusals));
            head.push_str(&format!("<script>self.practiceRefusals={refusals}</script>"));
        }
        let warnings: Vec<&FieldError> = fired.iter().flat_map(|action| &action.warn_in_form).collect();
        if !warnings.is_empty() {
            let warnings = script_json(&json!(warnings));
            head.push_str(&format!("<script>self.practiceWarnings={warnings}</script>"));
        }
        let late_ms = fired.iter().map(|action| action.send_late_ms).max();
        if let Some(late_ms) = late_ms.filter(|late_ms| *late_ms > 0) {
            head.push_str(&format!("<script>self.practiceSendLateMs={late_ms}</script>"));
        }
    }
    if fired.any(|action| action.challenge == Some(Challenge::CaptchaInPage)) {
        end.push_str(&challenge::overlay(asked.visitor.locale));
    }
    if fired.any(|action| action.alert_box) {
        let words = script_json(&json!(text(asked.visitor.locale, "welcome")));
        end.push_str(&format!(
            "<script>addEventListener(\"load\",()=>alert({words}))</script>"
        ));
    }
    (head, end)
}

fn insert(page: &Bytes, head: &str, end: &str) -> Bytes {
    let page = String::from_utf8_lossy(page);
    let page = page.replacen("<head>", &format!("<head>{head}"), 1);
    let body_end = page.rfind("</body>").unwrap_or(page.len());
    let (before, after) = page.split_at(body_end);
    format!("{before}{end}{after}").into()
}

fn edited(body: &Bytes, edit: impl FnOnce(&mut Value)) -> Bytes {
    let Ok(mut json) = serde_json::from_slice(body) else {
        return body.clone();
    };
    edit(&mut json);
    json.to_string().into()
}

/// Empties every list and every object, as a bot check empties answers that it lets through (as seen 2026, confidence
/// A).
fn empty(json: &mut Value) {
    for value in json
        .as_object_mut()
        .into_iter()
        .flat_map(|object| object.values_mut())
    {
        match value {
            Value::Array(list) => list.clear(),
            Value::Object(object) => object.clear(),
            _ => {}
        }
    }
}

/// Fields of readings that are null or absent if another field has the same information or if the item has no value.
const NULLABLE: [&str; 16] = [
    "size",
    "brand",
    "status",
    "brand_dto",
    "size_id",
    "status_id",
    "view_count",
    "favourite_count",
    "item_closing_action",
    "isbn",
    "real_name",
    "email",
    "url",
    "badge",
    "item_id",
    "reaction",
];

/// Adds unknown fields to every object and list of kinds. Sets fields to null in every second row of a list, and in a
/// single object. Adds an entry of an unknown kind without a time to conversations.
fn odd(json: &mut Value) {
    let strange = json!({"kind": "practice_unknown", "values": [1, null, {"deep": true}]});
    let Some(answer) = json.as_object_mut() else {
        return;
    };
    for value in answer.values_mut() {
        match value {
            Value::Array(rows) => {
                for (n, row) in rows.iter_mut().enumerate() {
                    make_odd(row, n % 2 == 1, &strange);
                }
            }
            one @ Value::Object(_) => make_odd(one, true, &strange),
            _ => {}
        }
    }
    if let Some(conversation) = answer.get_mut("conversation") {
        if let Some(transaction) = conversation.get_mut("transaction") {
            make_odd(transaction, true, &strange);
        }
        if let Some(Value::Array(entries)) = conversation.get_mut("messages") {
            for entry in entries.iter_mut().flat_map(|entry| entry.get_mut("entity")) {
                make_odd(entry, true, &strange);
            }
            entries.push(json!({"entity_type": "practice_unknown", "entity": strange.clone()}));
        }
    }
    answer.insert("practice_unknown".into(), strange);
}

fn make_odd(thing: &mut Value, with_nulls: bool, strange: &Value) {
    let Some(fields) = thing.as_object_mut() else {
        return;
    };
    if with_nulls {
        for name in NULLABLE {
            if let Some(field) = fields.get_mut(name) {
                *field = Value::Null;
            }
        }
    }
    fields.insert("practice_unknown".into(), strange.clone());
}

/// Duplicates every row of the inbox and every entry of a conversation.
fn double(json: &mut Value) {
    for lists in ["/conversations", "/conversation/messages"] {
        if let Some(Value::Array(list)) = json.pointer_mut(lists) {
            *list = list.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
        }
    }
}

fn leave_out(json: &mut Value, names: &[&str]) {
    match json {
        Value::Array(list) => list.iter_mut().for_each(|one| leave_out(one, names)),
        Value::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|one| leave_out(one, names));
        }
        _ => {}
    }
}
