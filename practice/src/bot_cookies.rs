//! Detects copied cookies of bot checks. Such a cookie belongs to the browser that received it. A cookie from another
//! client was copied, which a bot check would treat as evasion. Each copied cookie is recorded.

use axum::http::header::{COOKIE, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::session;
use crate::store::State;

/// The names of bot check cookies, as seen 2026 (confidence A).
const NAMES: [&str; 3] = ["datadome", "cf_clearance", "__cf_bm"];

fn pairs(line: &HeaderValue) -> impl Iterator<Item = (&str, &str)> {
    let pairs = line.to_str().unwrap_or_default().split(';');
    pairs.filter_map(|pair| pair.trim().split_once('='))
}

fn user_agent(headers: &HeaderMap) -> String {
    let value = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// Describes the client as far as its headers identify it. A browser sends fetch metadata headers with every request. A
/// client that only uses a browser's user agent does not.
fn client(headers: &HeaderMap) -> String {
    let kind = if headers.contains_key("sec-fetch-mode") {
        "browser"
    } else {
        "client"
    };
    format!("{kind} {}", user_agent(headers))
}

/// Records, once each, the bot check cookies that the site did not give to this client.
pub fn inspect(state: &mut State, headers: &HeaderMap, path: &str) {
    let client = client(headers);
    let sent = headers.get_all(COOKIE).into_iter().flat_map(pairs);
    let foreign: Vec<_> = sent
        .filter(|(name, value)| NAMES.contains(name) && !value.is_empty())
        .filter(|(_, value)| state.bot_cookies.get(*value) != Some(&client))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for (name, value) in foreign {
        let member_id = session::concerned(state, headers).map_or(0, |member| member.id);
        if state.foreign_bot_cookies.insert((value, client.clone())) {
            let facts = json!({"cookie": name, "user_agent": user_agent(headers), "path": path});
            state.record("foreign_bot_cookie", member_id, facts);
        }
    }
}

/// Remembers which client receives the bot check cookies of an answer.
pub fn remember(state: &mut State, request: &HeaderMap, response: &HeaderMap) {
    let client = client(request);
    let set = response.get_all(SET_COOKIE).into_iter();
    let given: Vec<_> = set
        .filter_map(|line| pairs(line).next())
        .filter(|(name, _)| NAMES.contains(name))
        .map(|(_, value)| value.to_owned())
        .collect();
    let some = !given.is_empty();
    for value in given {
        state.bot_cookies.insert(value, client.clone());
    }
    if some {
        state.save();
    }
}
