//! The caller of a request: cookies, tokens, the CSRF constant, language.
//!
//! As seen 2026 (confidence A), a session consists of `access_token_web` (a JWT of about two hours),
//! `refresh_token_web` (rotates with each refresh) and `_vinted_fr_session`. Writing calls carry the site-wide
//! `X-CSRF-Token`, unless they have a bearer token. The number in the token is not always the member's id.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::clock;
use crate::ontology::Locale;
use crate::store::{Member, RefreshToken, Session, State};

/// The lifetime of a refresh token (about a week, as seen 2026, confidence C).
const REFRESH_TOKEN_MS: i64 = 7 * 24 * 3_600_000;

/// The token that every page contains and every writing call repeats; a constant of the site's build.
pub const CSRF_TOKEN: &str = "5b1e9f3c-7a42-4d60-9e0b-2f6c81d4a7e3";

/// Returns the last non-empty value of the cookie `name`.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    let pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value)
        .next_back()
}

/// A caller with a valid access token.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub member_id: u64,
    /// Whether an `Authorization` header signs the caller in. No page of another site can make a browser send it.
    pub bearer: bool,
}

/// Returns the member whom a request concerns: the caller, or else the member of the refresh token.
pub fn concerned<'a>(state: &'a State, headers: &HeaderMap) -> Option<&'a Member> {
    let caller = caller(state, headers).map(|caller| caller.member_id);
    let by_refresh = || {
        let token = cookie(headers, "refresh_token_web")?;
        state.refresh_tokens.get(token).map(|token| token.member_id)
    };
    state.members.get(&caller.or_else(by_refresh)?)
}

/// Returns the caller if the access token in the headers is known and has not expired.
pub fn caller(state: &State, headers: &HeaderMap) -> Option<Caller> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = authorization.and_then(|value| value.strip_prefix("Bearer "));
    let token = bearer.or_else(|| cookie(headers, "access_token_web"))?;
    let session = state
        .sessions
        .get(token)
        .filter(|session| session.expire_time > clock::now_ms())?;
    Some(Caller {
        member_id: session.member_id,
        bearer: bearer.is_some(),
    })
}

/// Returns whether the request repeats the site's CSRF constant.
pub fn has_csrf(headers: &HeaderMap) -> bool {
    headers
        .get("x-csrf-token")
        .is_some_and(|value| value == CSRF_TOKEN)
}

/// Returns the language of a JSON answer: `locale`, then `Accept-Language`, then the member's language.
pub fn api_locale(headers: &HeaderMap, member: Option<&Member>) -> Locale {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .and_then(Locale::parse)
    };
    header("locale")
        .or_else(|| header(ACCEPT_LANGUAGE.as_str()))
        .or(member.map(|member| member.language))
        .unwrap_or(Locale::Fr)
}

/// Returns the language of a page: the member's language, or for guests that of the cookie.
pub fn page_locale(headers: &HeaderMap, member: Option<&Member>) -> Locale {
    let cookie = || cookie(headers, "anonymous-locale").and_then(Locale::parse);
    member
        .map(|member| member.language)
        .or_else(cookie)
        .unwrap_or(Locale::Fr)
}

/// A new token pair for a member.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    /// Returns the `Set-Cookie` lines for a browser. The page's script cannot read these cookies.
    pub fn set_cookies(&self) -> [String; 2] {
        let set = |name: &str, value: &str| format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
        [
            set("access_token_web", &self.access),
            set("refresh_token_web", &self.refresh),
        ]
    }
}

/// Returns the member with the login `login`, and creates it if it does not exist.
pub fn member_named(state: &mut State, login: &str) -> Member {
    if let Some(member) = state.member_by_login(login) {
        return member.clone();
    }
    new_member(state, login)
}

/// Creates a member. The login must not exist yet.
pub fn new_member(state: &mut State, login: &str) -> Member {
    let id = state.new_id();
    let member = Member {
        id,
        account_id: id + 900_000,
        login: login.to_owned(),
        language: Locale::Fr,
        pages: None,
        photo_id: None,
        is_system: false,
    };
    state.members.insert(id, member.clone());
    member
}

/// Returns the cookies that a browser gets at sign-in, in addition to the tokens.
pub fn other_cookies(member: &Member) -> [(&'static str, String); 6] {
    [
        ("_vinted_fr_session", clock::hex(&clock::random::<24>())),
        ("anon_id", clock::uuid()),
        ("v_uid", member.id.to_string()),
        ("v_sid", clock::hex(&clock::random::<8>())),
        ("v_udt", clock::hex(&clock::random::<12>())),
        ("anonymous-locale", member.language.code().to_owned()),
    ]
}

/// Signs a member in again. The member's existing sessions stay valid.
pub fn sign_in(state: &mut State, member: &Member) -> Tokens {
    let family = state.new_id();
    issue(state, member, family)
}

/// Exchanges a refresh token for a new pair, and records the exchange or its refusal. A token is valid once. Its second
/// use looks like theft and ends all tokens of the same sign-in.
pub fn refresh(state: &mut State, token: &str) -> Option<Tokens> {
    let now = clock::now_ms();
    let known = state.refresh_tokens.get(token).cloned();
    let member = known
        .as_ref()
        .and_then(|known| state.members.get(&known.member_id))
        .cloned();
    let tokens = known
        .zip(member.clone())
        .and_then(|(known, member)| exchange(state, token, known, &member, now));
    let member_id = member.map_or(0, |member| member.id);
    state.record(
        "session_refresh",
        member_id,
        json!({"accepted": tokens.is_some()}),
    );
    state.save();
    tokens
}

fn exchange(
    state: &mut State,
    token: &str,
    known: RefreshToken,
    member: &Member,
    now: i64,
) -> Option<Tokens> {
    if known.expire_time <= now || state.ended_families.contains(&known.family) {
        return None;
    }
    match known.use_time {
        Some(used) if now - used >= state.settings.refresh_grace_ms => {
            end_family(state, known.family);
            return None;
        }
        Some(_) => {}
        None => {
            if let Some(kept) = state.refresh_tokens.get_mut(token) {
                kept.use_time = Some(now);
            }
        }
    }
    if state.settings.revoke_access_on_refresh {
        state.sessions.remove(&known.access);
    }
    Some(issue(state, member, known.family))
}

/// Ends all tokens of one sign-in.
pub fn end_family(state: &mut State, family: u64) {
    state.ended_families.insert(family);
    state.sessions.retain(|_, session| session.family != family);
}

fn issue(state: &mut State, member: &Member, family: u64) -> Tokens {
    let now = clock::now_ms();
    let expire_time = now + state.settings.access_token_ttl_s * 1_000;
    let refresh_expire_time = now + REFRESH_TOKEN_MS;
    let access = token(member, "access", now, expire_time);
    let refresh = token(member, "refresh", now, refresh_expire_time);
    let session = Session {
        member_id: member.id,
        expire_time,
        family,
    };
    let refresh_token = RefreshToken {
        member_id: member.id,
        family,
        access: access.clone(),
        expire_time: refresh_expire_time,
        use_time: None,
    };
    state.sessions.retain(|_, session| session.expire_time > now);
    state.refresh_tokens.retain(|_, token| token.expire_time > now);
    state.sessions.insert(access.clone(), session);
    state.refresh_tokens.insert(refresh.clone(), refresh_token);
    Tokens { access, refresh }
}

fn token(member: &Member, purpose: &str, now: i64, expire_time: i64) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"typ": "JWT", "alg": "RS256"}));
    let payload = part(json!({
        "sub": member.account_id.to_string(),
        "account_id": member.account_id,
        "iss": "practice",
        "iat": now / 1_000,
        "exp": expire_time / 1_000,
        "purpose": purpose,
        "sid": clock::hex(&clock::random::<6>()),
    }));
    format!(
        "{head}.{payload}.{}",
        URL_SAFE_NO_PAD.encode(clock::random::<32>())
    )
}
