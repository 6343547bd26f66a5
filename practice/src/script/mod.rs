//! Scripted misbehaviour: rules that apply behaviours to requests.
//!
//! A rule names an operation and a behaviour; the admin API adds and removes rules. Behaviours that affect the whole
//! request (latency, challenges, lost answers) are applied here, around the handler: `instead` replaces the handler,
//! `spoil` changes the handler's answer. Behaviours that affect the written data (twins, hiding, delays) are passed to
//! the handler as [`Fired`]. To add a behaviour, add a field to [`Do`] and handle it in one of these places.

mod behaviour;
mod echo;
mod instead;
mod operation;
mod spoil;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;

pub use self::behaviour::{Challenge, Do, Mutation, Rule};
pub use self::operation::Operation;
use crate::api::Refusal;
use crate::listener::Peer;
use crate::pages::Visitor;
use crate::site::Site;
use crate::{bot_cookies, clock, session, store};

/// The largest JSON request, in bytes.
const JSON_LIMIT: usize = 1 << 20;

/// The number of bytes that are read from a request that is answered before its handler; more than the photo limit.
const UNREAD_LIMIT: usize = 32 << 20;

/// How long the repetition of a reset request is also reset, in milliseconds. Chromium repeats a request that it had
/// sent on a preconnected connection, which would hide the reset.
const RESET_MS: i64 = 250;

/// The behaviours that apply to one request, in the order of their rules.
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

/// A request as seen by the behaviours.
pub struct Asked {
    pub operation: Operation,
    /// The path and query.
    pub target: String,
    pub visitor: Visitor,
}

/// Applies the rules to a request, around its handler.
pub async fn stage(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path().starts_with("/_practice/") {
        return next.run(request).await;
    }
    site.count(request.method(), request.uri().path());
    let headers = request.headers().clone();
    bot_cookies::inspect(&mut site.lock(), &headers, request.uri().path());
    let mut response = strike(&site, &peer, request, next).await;
    bot_cookies::remember(&mut site.lock(), &headers, response.headers());
    let headers = response.headers_mut();
    // When a keep-alive connection breaks, Chromium repeats the request, even a POST (measured: four times for one
    // click). The records would then count the browser's repetitions as the client's requests.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    // The frames and scripts of a bot check name their real hosts. The policy prevents any request to these hosts.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-src 'self'; script-src 'self' 'unsafe-inline'"),
    );
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

    let visitor = Visitor::of(site, request.headers());
    let now = clock::now_ms();
    let fired = {
        let mut state = site.lock();
        let member_id = session::concerned(&state, request.headers()).map(|member| member.id);
        let same = format!("{member_id:?} {} {}", request.method(), request.uri());
        state.unanswered.retain(|_, until| *until > now);
        if state.unanswered.contains_key(&same) {
            return instead::reset(peer);
        }
        let titles: Vec<_> = sent_title
            .into_iter()
            .chain(stored_title(&state, request.uri().path()))
            .collect();
        let struck = state.rules.iter_mut().filter_map(|rule| {
            rule.strikes(operation, member_id, &titles)
                .then(|| rule.action.clone())
        });
        let fired = Fired(Arc::new(struck.collect()));
        if fired.any(|action| action.reset) {
            state.unanswered.insert(same, now + RESET_MS);
        }
        fired
    };
    let asked = Asked {
        operation,
        target: request.uri().to_string(),
        visitor,
    };

    let latency = fired.iter().map(|action| action.latency_ms).sum();
    tokio::time::sleep(Duration::from_millis(latency)).await;
    if let Some(answer) = instead::answer(&fired, &asked, peer) {
        // If the connection closes during an upload, the browser reports a network error and loses the answer.
        let _ = Limited::new(request.into_body(), UNREAD_LIMIT).collect().await;
        return answer;
    }
    let echo = fired.iter().find_map(|action| action.echo_token);
    if let Some(answer) = echo.and_then(|echo| echo::answer(echo, request.headers())) {
        return answer;
    }
    request.extensions_mut().insert(fired.clone());
    let response = next.run(request).await;
    if response.status().is_success() {
        let late = fired.iter().map(|action| action.answer_late_ms).sum();
        tokio::time::sleep(Duration::from_millis(late)).await;
        if fired.any(|action| action.accept_then_cut) {
            peer.cut();
        }
        if fired.any(|action| action.accept_then_500) {
            return Refusal::Server.into_response();
        }
        return spoil::spoilt(response, &fired, &asked).await;
    }
    response
}

fn title_in(json: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(json).ok()?;
    if let Some(text) = value.pointer("/reply/body") {
        return text.as_str().map(str::to_owned);
    }
    let body = value.get("item").or_else(|| value.get("draft"))?;
    body.get("title")?.as_str().map(str::to_owned)
}

fn stored_title(state: &store::State, path: &str) -> Option<String> {
    let id = path.split('/').find_map(|part| part.parse().ok())?;
    if let Some(conversation) = state.conversations.get(&id) {
        return conversation
            .transaction
            .as_ref()
            .map(|deal| deal.item_title.clone());
    }
    state.item(id, clock::now_ms()).map(|item| item.title.clone())
}
