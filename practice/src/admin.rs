//! The admin API under `/_practice/`, for programs on this machine only. All bodies are JSON.
//!
//! | call                                | what it does                                                          |
//! | ----------------------------------- | --------------------------------------------------------------------- |
//! | `POST members {login, ...}`         | creates the member if it does not exist, and signs it in again        |
//! | `GET records?since=N`               | every accepted write after record `N`, oldest first                   |
//! | `GET requests`                      | the number of requests, in total and by path, without the admin API   |
//! | `GET items`                         | all items, including items that are not visible yet                   |
//! | `POST items {member_id, item, ...}` | adds an item without a record                                         |
//! | `... conversations`, `POST buyers`  | see [`inbox`]: the actions of buyers and their results                |
//! | `GET`, `POST`, `DELETE script`      | the rules of [`crate::script`]: list, add one or several, clear       |
//! | `GET`, `POST settings`              | delays, lifetimes, the appearance of the pages                        |
//! | `POST reset`                        | clears everything except the records' file and numbering              |

mod inbox;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{HOST, ORIGIN};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::photos;
use crate::appearance::Appearance;
use crate::clock;
use crate::items::Item;
use crate::listener::Peer;
use crate::ontology::Locale;
use crate::script::Rule;
use crate::session::{self, CSRF_TOKEN};
use crate::site::Site;
use crate::store::Settings;
use crate::validate::{Body, FieldError, violations};

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/_practice/members", post(create_member))
        .route("/_practice/records", get(records))
        .route("/_practice/requests", get(requests))
        .route("/_practice/items", get(items).post(create_item))
        .route(
            "/_practice/script",
            get(script).post(add_rules).delete(clear_script),
        )
        .route("/_practice/settings", get(settings).post(set_settings))
        .route("/_practice/reset", post(reset))
        .merge(inbox::routes())
        .layer(from_fn(loopback_only))
}

/// Answers 404 to other machines, and to web pages that a browser on this machine shows.
async fn loopback_only(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let host = host
        .rsplit_once(':')
        .map_or(host, |(name, _port)| name)
        .trim_matches(['[', ']']);
    let named_locally = host == "localhost" || host.parse::<IpAddr>().is_ok();
    let from_page = headers.contains_key(ORIGIN);
    if peer.addr.ip().to_canonical().is_loopback() && named_locally && !from_page {
        next.run(request).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMember {
    login: String,
    /// The member's language. Absent leaves it unchanged; a new member gets French.
    language: Option<Locale>,
    /// The appearance of this member's pages. Absent leaves it unchanged.
    pages: Option<Appearance>,
}

/// Creates the member if the login is new, and signs it in again. The answer holds the cookies that a person would copy
/// from their browser. The bot check's cookie among them is valid for that browser only.
async fn create_member(State(site): State<Arc<Site>>, Json(body): Json<NewMember>) -> Json<Value> {
    let mut state = site.lock();
    let mut member = session::member_named(&mut state, &body.login);
    member.language = body.language.unwrap_or(member.language);
    member.pages = body.pages.or(member.pages);
    state.members.insert(member.id, member.clone());
    let tokens = session::sign_in(&mut state, &member);
    state.save();
    let pages = state.pages_of(Some(&member));
    let mut cookies = json!({
        "access_token_web": tokens.access,
        "refresh_token_web": tokens.refresh,
        "datadome": clock::hex(&clock::random::<32>()),
    });
    for (name, value) in session::other_cookies(&member) {
        cookies[name] = value.into();
    }
    Json(json!({
        "id": member.id,
        "login": member.login,
        "language": member.language,
        "pages": pages,
        "csrf_token": CSRF_TOKEN,
        "access_token": tokens.access,
        "refresh_token": tokens.refresh,
        "cookies": cookies,
    }))
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: u64,
}

/// Returns all records whose `seq` is above `since`, oldest first.
async fn records(State(site): State<Arc<Site>>, Query(query): Query<Since>) -> Json<Value> {
    let state = site.lock();
    let newer = state
        .records
        .iter()
        .filter(|record| record["seq"].as_u64() > Some(query.since));
    Json(newer.map(|record| Value::clone(record)).collect())
}

/// Returns the number of requests since the site was started, without those to this API.
async fn requests(State(site): State<Arc<Site>>) -> Json<Value> {
    let requests = site.requests();
    Json(json!({"count": requests.values().sum::<u64>(), "paths": requests}))
}

/// Returns all items, including items that are not visible yet.
async fn items(State(site): State<Arc<Site>>) -> Json<Value> {
    let state = site.lock();
    let row = |item: &Item| {
        let mut row = state.item_record(item);
        row["member_id"] = item.member_id.into();
        row["is_draft"] = item.is_draft.into();
        row
    };
    Json(state.items.values().map(row).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewItem {
    member_id: u64,
    /// The item as the form would send it. Photos are optional.
    item: Body,
    /// The number of photos that the site generates for the item. Each of them is unique.
    #[serde(default)]
    photos: u8,
    #[serde(default)]
    is_draft: bool,
    #[serde(default)]
    is_hidden: bool,
}

/// Adds an item to a member's wardrobe at once, without a record, as if it had existed before.
async fn create_item(State(site): State<Arc<Site>>, Json(body): Json<NewItem>) -> Response {
    let mut state = site.lock();
    let Some(member) = state.members.get(&body.member_id).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let made = (0..body.photos).map(|_| photos::made_up(&mut state, member.id));
    let made = match made.collect::<Result<Vec<_>, _>>() {
        Ok(made) => made,
        Err(refusal) => return refusal.into_response(),
    };
    let item = match body.item.into_item(member.language) {
        Ok(item) => item,
        Err(errors) => return unprocessable(&errors),
    };
    let errors = violations(&item, true, member.language);
    if !errors.is_empty() {
        return unprocessable(&errors);
    }
    let now = clock::now_ms();
    let item = Item {
        id: state.new_id(),
        member_id: member.id,
        is_draft: body.is_draft,
        is_hidden: body.is_hidden,
        create_time: now,
        list_time: Some(now),
        read_time: now,
        photo_ids: [item.photo_ids.as_slice(), &made].concat(),
        ..item
    };
    let answer = state.edit_json(&item, member.language, &site.base_url);
    state.items.insert(item.id, item);
    state.save();
    Json(json!({"item": answer})).into_response()
}

fn unprocessable(errors: &[FieldError]) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"errors": errors}))).into_response()
}

async fn script(State(site): State<Arc<Site>>) -> Json<Vec<Rule>> {
    Json(site.lock().rules.clone())
}

/// Appends one rule or several rules to the script. Returns all rules.
async fn add_rules(State(site): State<Arc<Site>>, Json(body): Json<Value>) -> Response {
    let list = if body.is_array() { body } else { json!([body]) };
    match serde_json::from_value::<Vec<Rule>>(list) {
        Ok(rules) => {
            let mut state = site.lock();
            state.rules.extend(rules);
            Json(state.rules.clone()).into_response()
        }
        Err(error) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(json!({"error": error.to_string()})),
        )
            .into_response(),
    }
}

async fn clear_script(State(site): State<Arc<Site>>) -> Json<Value> {
    site.lock().rules.clear();
    Json(json!([]))
}

async fn settings(State(site): State<Arc<Site>>) -> Json<Settings> {
    Json(site.lock().settings.clone())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SomeSettings {
    default_visible_delay_ms: Option<i64>,
    access_token_ttl_s: Option<i64>,
    refresh_grace_ms: Option<i64>,
    revoke_access_on_refresh: Option<bool>,
    pages: Option<Appearance>,
}

/// Changes the named settings. Returns all settings.
async fn set_settings(State(site): State<Arc<Site>>, Json(body): Json<SomeSettings>) -> Json<Settings> {
    fn set<T>(setting: &mut T, wish: Option<T>) {
        if let Some(wish) = wish {
            *setting = wish;
        }
    }
    let mut state = site.lock();
    let settings = &mut state.settings;
    set(
        &mut settings.default_visible_delay_ms,
        body.default_visible_delay_ms,
    );
    set(&mut settings.access_token_ttl_s, body.access_token_ttl_s);
    set(&mut settings.refresh_grace_ms, body.refresh_grace_ms);
    set(
        &mut settings.revoke_access_on_refresh,
        body.revoke_access_on_refresh,
    );
    set(&mut settings.pages, body.pages);
    Json(settings.clone())
}

async fn reset(State(site): State<Arc<Site>>) -> Json<Value> {
    site.lock().reset();
    Json(json!({"code": 0}))
}
