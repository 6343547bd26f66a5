//! Replies in a conversation. The call as seen 2026 (confidence A and B). The real answer is not known. The practice
//! site returns the new entry, and a script can omit any part of it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use super::inbox::{look, own};
use crate::inbox::{EntryContent, Shows};
use crate::ontology::{Locale, text};
use crate::script::Fired;
use crate::site::Site;
use crate::validate::FieldError;
use crate::{clock, store};

/// Words that count as insults. The real list is not known.
const INSULTS: [&str; 2] = ["idiot", "dummkopf"];

pub fn routes() -> Router<Arc<Site>> {
    Router::new().route("/api/v2/conversations/{id}/replies", post(reply))
}

#[derive(Deserialize)]
struct Body {
    reply: Reply,
}

#[derive(Deserialize)]
struct Reply {
    body: Option<String>,
    photo_temp_uuids: Option<Vec<String>>,
    #[serde(default)]
    is_personal_data_sharing_check_skipped: bool,
}

/// Returns the reason for which a text may not be sent, or `None`.
fn refusal(body: &str, check_skipped: bool, locale: Locale) -> Option<Refusal> {
    let text = body.to_lowercase();
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    if words.any(|word| INSULTS.contains(&word)) {
        return Some(Refusal::Harassment(locale));
    }
    let mut parts = text.split_whitespace();
    let has_address = parts.any(|part| {
        part.split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
    });
    (has_address && !check_skipped).then_some(Refusal::EmailSharing(locale))
}

/// Returns the caller's photos with these upload names, in order.
fn photos(
    state: &store::State,
    member_id: u64,
    temp_uuids: &[String],
    locale: Locale,
) -> Result<Vec<u64>, Refusal> {
    let newest = |temp_uuid: &String| {
        let mut own = state.photos.values().rev();
        own.find(|photo| photo.member_id == member_id && photo.temp_uuid == *temp_uuid)
            .map(|photo| photo.id)
    };
    let found: Option<Vec<_>> = temp_uuids.iter().map(newest).collect();
    found.ok_or_else(|| invalid("photo_temp_uuids", text(locale, "photo_unknown")))
}

fn invalid(field: &str, value: &str) -> Refusal {
    Refusal::Validation(vec![FieldError {
        field: field.to_owned(),
        value: value.to_owned(),
    }])
}

async fn reply(
    State(site): State<Arc<Site>>,
    Extension(fired): Extension<Fired>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(Body { reply }): Json<Body>,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let locale = acting.locale;
    let member_id = acting.member.id;
    let mut state = site.lock();
    if !own(&state, &acting, id)?.reply_allowed {
        return Err(Refusal::AccessDenied);
    }
    let body = reply.body.unwrap_or_default();
    let temp_uuids = reply.photo_temp_uuids.unwrap_or_default();
    if body.trim().is_empty() && temp_uuids.is_empty() {
        return Err(invalid("body", text(locale, "message_empty")));
    }
    let check_skipped = reply.is_personal_data_sharing_check_skipped;
    if let Some(refusal) = refusal(&body, check_skipped, locale) {
        return Err(refusal);
    }
    let photo_ids = photos(&state, member_id, &temp_uuids, locale)?;

    let copies = if fired.any(|action| action.twin) { 2 } else { 1 };
    let mut answer = Value::Null;
    for _ in 0..copies {
        let message_id = accept(&mut state, id, member_id, &body, &photo_ids, &fired)?;
        let kept = own(&state, &acting, id)?;
        let entry = kept.entries.last().filter(|entry| entry.id == message_id);
        let look = look(&site, &acting, &fired);
        answer = entry.map_or(Value::Null, |entry| {
            state.entry_json(kept, entry, &look)["entity"].take()
        });
    }
    if check_skipped {
        state.record(
            "personal_data_check_skipped",
            member_id,
            json!({"conversation_id": id, "body": body}),
        );
    }
    state.save();
    Ok(Json(json!({"code": 0, "message": answer})))
}

/// Adds a message to a conversation, with the script's changes, and records it as it was sent.
fn accept(
    state: &mut store::State,
    conversation_id: u64,
    member_id: u64,
    body: &str,
    photo_ids: &[u64],
    fired: &Fired,
) -> Result<u64, Refusal> {
    let time = clock::now_ms();
    let slowest = |of: fn(&crate::script::Do) -> i64| fired.iter().map(of).max().unwrap_or(0);
    let delay = slowest(|action| action.delay_visible_ms);
    let list_delay = slowest(|action| action.list_late_ms).max(delay);
    let shows = Shows {
        time,
        list_time: (!fired.any(|action| action.never_list)).then_some(time + list_delay),
        read_time: time + delay,
    };
    let content = EntryContent::Message {
        member_id,
        body: altered(body, fired),
        photo_ids: photo_ids.to_vec(),
        is_hidden: false,
    };
    let message_id = state
        .add_entry(conversation_id, content, shows)
        .ok_or(Refusal::NotFound)?;
    let hashes: Vec<_> = photo_ids
        .iter()
        .filter_map(|id| Some(state.photos.get(id)?.sha256.clone()))
        .collect();
    let is_same = |record: &&Arc<Value>| {
        record["kind"] == "reply"
            && record["conversation_id"] == conversation_id
            && record["member_id"] == member_id
            && record["photo_sha256s"] == json!(hashes)
            && normal(record["body"].as_str().unwrap_or_default()) == normal(body)
    };
    let identical = state.records.iter().filter(is_same).count() + 1;
    let record = json!({
        "conversation_id": conversation_id,
        "message_id": message_id,
        "body": body,
        "photo_sha256s": hashes,
        "identical": identical,
    });
    state.record("reply", member_id, record);
    Ok(message_id)
}

/// Returns the text with each run of whitespace replaced by one space.
fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the text as the site stores it.
fn altered(body: &str, fired: &Fired) -> String {
    let changed = fired
        .iter()
        .filter_map(|action| action.alter.as_ref()?.get("body"));
    let body = changed.filter_map(Value::as_str).next().unwrap_or(body);
    if fired.any(|action| action.alter_whitespace) {
        format!("{}\n", body.replace(' ', "\u{a0} ").replace('\n', "\r\n"))
    } else {
        body.to_owned()
    }
}
