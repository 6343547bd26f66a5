//! Scripted misbehaviour: rules that say what befalls which request.
//!
//! A rule names an operation and what to do; the admin API adds and removes rules. What concerns the request as a
//! whole (latency, challenges, an answer that is lost) happens here, around the handler; what concerns the thing
//! accepted (twins, hiding, delays) is handed to the handler as [`Fired`]. To add a behaviour, add a field to [`Do`]
//! and act on it in one of the two places.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::Refusal;
use crate::listener::Peer;
use crate::site::Site;
use crate::validate::FieldError;
use crate::{clock, pages, session, store};

/// The most that a JSON request may hold, in bytes.
const JSON_LIMIT: usize = 1 << 20;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Every operation named below.
    Any,
    Photo,
    SaveDraft,
    Publish,
    EditItem,
    DeleteDraft,
    DeleteItem,
    HideItem,
    Wardrobe,
    Item,
    CurrentUser,
    Refresh,
    Ontology,
    Home,
    Form,
    EditForm,
    ItemPage,
    MemberPage,
}

impl Operation {
    fn of(method: &Method, path: &str) -> Option<Self> {
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        let found = match (method.as_str(), parts.as_slice()) {
            ("POST", ["api", "v2", "photos"]) => Self::Photo,
            ("POST", ["api", "v2", "item_upload", "drafts"]) => Self::SaveDraft,
            ("PUT", ["api", "v2", "item_upload", "drafts", _]) => Self::SaveDraft,
            ("DELETE", ["api", "v2", "item_upload", "drafts", _]) => Self::DeleteDraft,
            ("POST", ["api", "v2", "item_upload", "drafts", _, "completion"]) => Self::Publish,
            ("POST", ["api", "v2", "item_upload", "items"]) => Self::Publish,
            ("PUT", ["api", "v2", "item_upload", "items", _]) => Self::EditItem,
            ("GET", ["api", "v2", "item_upload", "items", _]) => Self::Item,
            ("POST", ["api", "v2", "items", _, "delete"]) => Self::DeleteItem,
            ("PUT", ["api", "v2", "items", _, "is_hidden"]) => Self::HideItem,
            ("GET", ["api", "v2", "wardrobe", _, "items"]) => Self::Wardrobe,
            ("GET", ["api", "v2", "users", "current"]) => Self::CurrentUser,
            ("POST", ["web", "api", "auth", "refresh"]) => Self::Refresh,
            (_, ["api", "v2", "item_upload" | "catalogs", ..]) => Self::Ontology,
            ("GET", [""]) => Self::Home,
            ("GET", ["items", "new"]) => Self::Form,
            ("GET", ["items", _, "edit"]) => Self::EditForm,
            ("GET", ["items", _]) => Self::ItemPage,
            ("GET", ["member", id]) if id.parse::<u64>().is_ok() => Self::MemberPage,
            _ => return None,
        };
        Some(found)
    }

    fn is_page(self) -> bool {
        matches!(
            self,
            Self::Home | Self::Form | Self::EditForm | Self::ItemPage | Self::MemberPage
        )
    }
}

/// What befalls a request; several may befall the same one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Do {
    /// The answer waits this long before anything else happens, in milliseconds.
    pub latency_ms: u64,
    /// A page with a captcha in a frame, status 200; also where JSON was expected.
    pub captcha_page: bool,
    /// The bot check's 403: JSON with a captcha address on calls, a page with its frame on navigation.
    pub status_403: bool,
    /// `/items/new` sends the visitor home.
    pub redirect_home: bool,
    /// The request takes effect, is recorded, and is answered with status 500.
    pub accept_then_500: bool,
    /// The request takes effect, is recorded, and the connection closes without an answer.
    pub accept_then_cut: bool,
    /// Neither lists nor readings by id show the change for this long, in milliseconds.
    pub delay_visible_ms: i64,
    /// Lists do not show the change for this long, in milliseconds.
    pub list_late_ms: i64,
    /// No list ever shows it.
    pub never_list: bool,
    /// It is accepted, but hidden from others, as while under review.
    pub hide: bool,
    /// It is accepted twice: two records, two ids.
    pub twin: bool,
    /// Fields that the site changes in what it accepts: `title`, `description`, `price` (a decimal number).
    pub alter: Option<Map<String, Value>>,
    /// A published draft gets a new id.
    pub new_id_on_publish: bool,
    /// It is refused with this error under this field.
    pub reject: Option<FieldError>,
}

fn name_or_object<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Do, D::Error> {
    use serde::de::Error as _;
    let value = match Value::deserialize(deserializer)? {
        Value::String(name) => Value::Object(Map::from_iter([(name, Value::Bool(true))])),
        other => other,
    };
    serde_json::from_value(value).map_err(D::Error::custom)
}

/// One rule of the script.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub on: Operation,
    /// Only requests of this member.
    pub member: Option<u64>,
    /// Only requests about an item whose title contains this, case ignored.
    pub title_contains: Option<String>,
    /// How often it strikes; absent means always.
    pub times: Option<u64>,
    /// How many fitting requests pass before it strikes for the first time.
    #[serde(default)]
    pub after: u64,
    /// A behaviour's name alone, or an object of behaviours with their values.
    #[serde(rename = "do", deserialize_with = "name_or_object")]
    pub action: Do,
    /// How many requests have fitted so far.
    #[serde(default)]
    pub seen: u64,
    /// How often it has struck so far.
    #[serde(default)]
    pub struck: u64,
}

impl Rule {
    fn strikes(&mut self, operation: Operation, member: Option<u64>, titles: &[String]) -> bool {
        let fits = (self.on == operation || self.on == Operation::Any)
            && self.member.is_none_or(|wanted| member == Some(wanted))
            && self.title_contains.as_ref().is_none_or(|part| {
                let part = part.to_lowercase();
                titles.iter().any(|title| title.to_lowercase().contains(&part))
            });
        if !fits {
            return false;
        }
        self.seen += 1;
        let strikes = self.seen > self.after && self.times.is_none_or(|times| self.struck < times);
        self.struck += u64::from(strikes);
        strikes
    }
}

/// The behaviours that struck one request, in the order of their rules.
#[derive(Clone, Debug, Default)]
pub struct Fired(Arc<Vec<Do>>);

impl Fired {
    pub fn any(&self, is: impl Fn(&Do) -> bool) -> bool {
        self.0.iter().any(is)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Do> {
        self.0.iter()
    }
}

/// Lets the rules strike a request, around its handler.
pub async fn stage(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = strike(&site, &peer, request, next).await;
    // When a kept-alive connection breaks, Chromium sends the request again by itself, a POST too (measured: four
    // times for one click), and the records would count the browser's doing as the client's.
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn strike(site: &Site, peer: &Peer, request: Request, next: Next) -> Response {
    let Some(operation) = Operation::of(request.method(), request.uri().path()) else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let is_json = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let (body, sent_title) = if is_json {
        match Limited::new(body, JSON_LIMIT).collect().await {
            Ok(collected) => {
                let bytes = collected.to_bytes();
                let title = title_in(&bytes);
                (Body::from(bytes), title)
            }
            Err(_too_long_or_cut) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        }
    } else {
        (body, None)
    };
    let mut request = Request::from_parts(parts, body);

    let (fired, locale) = {
        let mut state = site.lock();
        let caller = session::caller(&state, request.headers());
        let member = caller.and_then(|caller| state.members.get(&caller.member_id).cloned());
        let titles: Vec<_> = sent_title
            .into_iter()
            .chain(stored_title(&state, request.uri().path()))
            .collect();
        let member_id = member.as_ref().map(|member| member.id);
        let struck = state.rules.iter_mut().filter_map(|rule| {
            rule.strikes(operation, member_id, &titles)
                .then(|| rule.action.clone())
        });
        (
            Fired(Arc::new(struck.collect())),
            session::page_locale(request.headers(), member.as_ref()),
        )
    };

    let latency = fired.iter().map(|action| action.latency_ms).sum();
    tokio::time::sleep(Duration::from_millis(latency)).await;
    if fired.any(|action| action.status_403) {
        return pages::challenge::blocked(operation.is_page(), locale);
    }
    if fired.any(|action| action.captcha_page) {
        return pages::challenge::captcha(StatusCode::OK, locale);
    }
    if fired.any(|action| action.redirect_home) {
        return Redirect::to("/").into_response();
    }
    if let Some(error) = fired.iter().find_map(|action| action.reject.clone()) {
        return Refusal::Validation(vec![error]).into_response();
    }
    request.extensions_mut().insert(fired.clone());
    let response = next.run(request).await;
    if response.status().is_success() {
        if fired.any(|action| action.accept_then_cut) {
            peer.cut();
        }
        if fired.any(|action| action.accept_then_500) {
            return Refusal::Server.into_response();
        }
    }
    response
}

fn title_in(json: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(json).ok()?;
    let body = value.get("item").or_else(|| value.get("draft"))?;
    body.get("title")?.as_str().map(str::to_owned)
}

fn stored_title(state: &store::State, path: &str) -> Option<String> {
    let id = path.split('/').find_map(|part| part.parse().ok())?;
    state.item(id, clock::now_ms()).map(|item| item.title.clone())
}
