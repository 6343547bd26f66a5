//! Who is calling: cookies, tokens, the CSRF constant, language.
//!
//! As seen 2026 (confidence A): a session is `access_token_web` (a JWT of about two hours), `refresh_token_web`
//! (rotates with each refresh) and `_vinted_fr_session`; writing calls carry the site-wide `X-CSRF-Token`, unless
//! they come with a bearer token; the number inside the token is not always the member's id.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::clock;
use crate::ontology::Locale;
use crate::store::{Member, RefreshToken, Session, State};

/// How long a refresh token lives (about a week, as seen 2026, confidence C).
const REFRESH_TOKEN_MS: i64 = 7 * 24 * 3_600_000;

/// The token that every page carries and every writing call repeats; a constant of the site's build.
pub const CSRF_TOKEN: &str = "5b1e9f3c-7a42-4d60-9e0b-2f6c81d4a7e3";

/// The value of cookie `name`: the last one that is not empty.
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

/// A caller whose token is good.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub member_id: u64,
    /// Signed in by an `Authorization` header, which no other site's page can make a browser send.
    pub bearer: bool,
}

/// Whom a request concerns, as far as its cookies tell: who calls, or else whose refresh token it carries.
pub fn concerned<'a>(state: &'a State, headers: &HeaderMap) -> Option<&'a Member> {
    let caller = caller(state, headers).map(|caller| caller.member_id);
    let by_refresh = || {
        let token = cookie(headers, "refresh_token_web")?;
        state.refresh_tokens.get(token).map(|token| token.member_id)
    };
    state.members.get(&caller.or_else(by_refresh)?)
}

/// Who the headers say is calling, if their access token is known and has not expired.
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

/// Whether the request repeats the site's CSRF constant.
pub fn has_csrf(headers: &HeaderMap) -> bool {
    headers
        .get("x-csrf-token")
        .is_some_and(|value| value == CSRF_TOKEN)
}

/// The language of a JSON answer: `locale`, then `Accept-Language`, then the member's own.
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

/// The language of a page: the member's own, for guests that of the cookie.
pub fn page_locale(headers: &HeaderMap, member: Option<&Member>) -> Locale {
    let cookie = || cookie(headers, "anonymous-locale").and_then(Locale::parse);
    member
        .map(|member| member.language)
        .or_else(cookie)
        .unwrap_or(Locale::Fr)
}

/// A new pair of tokens for a member.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    /// The `Set-Cookie` lines that hand them to a browser; the page's script cannot read them.
    pub fn set_cookies(&self) -> [String; 2] {
        let set = |name: &str, value: &str| format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
        [
            set("access_token_web", &self.access),
            set("refresh_token_web", &self.refresh),
        ]
    }
}

/// The member named `login`, made if there is none yet.
pub fn member_named(state: &mut State, login: &str) -> Member {
    if let Some(member) = state.member_by_login(login) {
        return member.clone();
    }
    new_member(state, login)
}

/// A new member, whose login nobody else may have.
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

/// The cookies that a browser gets besides the tokens when a member signs in.
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

/// Signs a member in once more; sessions that they already have stay good.
pub fn sign_in(state: &mut State, member: &Member) -> Tokens {
    let family = state.new_id();
    issue(state, member, family)
}

/// Exchanges a refresh token for a new pair, and records that it did or refused to. A token is good once: its second
/// use looks like a thief's, and ends every token that goes back to the same signing in.
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

/// Ends every token that goes back to one signing in.
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
