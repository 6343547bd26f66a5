//! The cookies of a session, and the credential of a call.
//!
//! A session that uses cookies has two: the access token and the refresh token. Scripts cannot read them, and browsers
//! send them only in requests of pages of this site (`SameSite=Strict`). Such a page may still be another origin than
//! this server, such as another port of the same host. A call with cookies therefore needs the header
//! `x-csrf-protection`: a form cannot set it, and a script of another origin can set it only after a preflight. The
//! answer to a preflight never allows credentials; see `transport`.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue};
use tonic::Response;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use vintedbot_domain::clock::Millis;
use vintedbot_domain::identity::SessionTokens;
use vintedbot_domain::{Error, Reason, Result};

use crate::Config;

const CSRF_HEADER: &str = "x-csrf-protection";
const SET_COOKIE: &str = "set-cookie";

/// The maximum bytes of all `Cookie` headers of a call, as many as the server accepts in the headers of HTTP/2.
const COOKIES_MAX: usize = 16 * 1024;

/// A token of a session.
#[derive(Clone, Copy, Debug)]
enum Token {
    Access,
    Refresh,
}

impl Token {
    /// Returns the name of the token's cookie. Browsers accept a name with the prefix `__Host-` only over https from
    /// the host itself, so that other hosts of the same domain cannot set the cookie.
    fn cookie(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Self::Access, false) => "vb_access",
            (Self::Access, true) => "__Host-vb_access",
            (Self::Refresh, false) => "vb_refresh",
            (Self::Refresh, true) => "__Host-vb_refresh",
        }
    }
}

/// Returns the credential of a call: the bearer token, or else the access token in the cookie. A header
/// `authorization` in another form never falls back to the cookie.
///
/// # Errors
/// CSRF_HEADER_MISSING.
pub fn credential<'a>(config: &Config, headers: &'a HeaderMap) -> Result<Option<&'a str>> {
    if headers.contains_key(AUTHORIZATION) {
        return Ok(bearer(headers));
    }
    cookie(config, headers, Token::Access)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Returns the refresh token in the cookie.
///
/// # Errors
/// CSRF_HEADER_MISSING.
pub fn refresh_token<'a>(config: &Config, metadata: &'a MetadataMap) -> Result<Option<&'a str>> {
    cookie(config, metadata.as_ref(), Token::Refresh)
}

fn cookie<'a>(config: &Config, headers: &'a HeaderMap, token: Token) -> Result<Option<&'a str>> {
    let value = find(headers, token.cookie(is_https(config)));
    if value.is_some() && !headers.contains_key(CSRF_HEADER) {
        let message = format!("a call with the cookies of a session needs the header {CSRF_HEADER}");
        return Err(Error::rejected(Reason::CsrfHeaderMissing, message));
    }
    Ok(value)
}

/// Returns the value of a cookie. `None` if there are several of the name, because then one may be forged.
///
/// Names must match byte for byte. Parsers that trim other characters than spaces accept names that browsers do not
/// regard as prefixed with `__Host-`.
fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE);
    let size: usize = all.iter().map(HeaderValue::len).sum();
    if size > COOKIES_MAX {
        return None;
    }
    let pairs = all
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let mut found = pairs.filter_map(|pair| {
        let pair = pair.strip_prefix(b" ").unwrap_or(pair);
        pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    });
    let value = found.next()?;
    if found.next().is_some() {
        return None;
    }
    std::str::from_utf8(value).ok()
}

/// Puts the tokens of a session into cookies. Each ends with its token.
pub fn set<T>(config: &Config, now: Millis, tokens: &SessionTokens, response: &mut Response<T>) {
    let cookies = [
        (Token::Access, &tokens.access_token, tokens.access_expire_time),
        (Token::Refresh, &tokens.refresh_token, tokens.refresh_expire_time),
    ];
    for (token, value, expire_time) in cookies {
        let seconds = (expire_time - now).max(0) / 1000;
        append(config, response, token, value, seconds);
    }
}

/// Removes the cookies of a session.
pub fn clear<T>(config: &Config, response: &mut Response<T>) {
    for token in [Token::Access, Token::Refresh] {
        append(config, response, token, "", 0);
    }
}

fn append<T>(config: &Config, response: &mut Response<T>, token: Token, value: &str, seconds: i64) {
    let is_https = is_https(config);
    let name = token.cookie(is_https);
    let secure = if is_https { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    let mut cookie =
        AsciiMetadataValue::try_from(cookie).expect("tokens are ASCII without control characters");
    cookie.set_sensitive(true);
    response.metadata_mut().append(SET_COOKIE, cookie);
}

/// Returns whether browsers reach the server over https.
fn is_https(config: &Config) -> bool {
    let url = config.public_url.as_deref().unwrap_or_default();
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn config(public_url: &str) -> Config {
        Config {
            public_url: Some(public_url.to_owned()),
            ..Config::default()
        }
    }

    fn http() -> Config {
        config("http://bot.example")
    }

    fn https() -> Config {
        config("https://bot.example")
    }

    /// Returns headers with `x-csrf-protection` and the given ones.
    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CSRF_HEADER, HeaderValue::from_static("1"));
        for (name, value) in list {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("no control bytes");
            headers.append(*name, value);
        }
        headers
    }

    /// Returns headers with `x-csrf-protection` and one header `cookie` for each value.
    fn with_cookies(values: &[&str]) -> HeaderMap {
        let list: Vec<_> = values.iter().map(|value| ("cookie", *value)).collect();
        headers(&list)
    }

    fn found(config: &Config, headers: &HeaderMap) -> Option<String> {
        let found = credential(config, headers).expect("has the header against CSRF");
        found.map(str::to_owned)
    }

    fn cookies_of<T>(response: &Response<T>) -> Vec<String> {
        let values = response.metadata().get_all(SET_COOKIE).iter();
        values
            .map(|value| value.to_str().expect("ASCII").to_owned())
            .collect()
    }

    fn tokens() -> SessionTokens {
        SessionTokens {
            access_token: Zeroizing::new("eyJ.a-b.c_d".to_owned()),
            access_expire_time: 901_999,
            refresh_token: Zeroizing::new("vbr_x".to_owned()),
            refresh_expire_time: 2_592_001_000,
        }
    }

    #[test]
    fn cookies_over_http_have_every_attribute_but_secure() {
        let mut response = Response::new(());
        set(&http(), 1_000, &tokens(), &mut response);
        assert_eq!(
            cookies_of(&response),
            [
                "vb_access=eyJ.a-b.c_d; Path=/; HttpOnly; SameSite=Strict; Max-Age=900",
                "vb_refresh=vbr_x; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000",
            ]
        );
        let mut without = Response::new(());
        set(&Config::default(), 1_000, &tokens(), &mut without);
        assert_eq!(cookies_of(&without), cookies_of(&response));
    }

    #[test]
    fn cookies_over_https_are_secure_and_bound_to_the_host() {
        let mut response = Response::new(());
        set(&https(), 1_000, &tokens(), &mut response);
        assert_eq!(
            cookies_of(&response),
            [
                "__Host-vb_access=eyJ.a-b.c_d; Path=/; HttpOnly; SameSite=Strict; Max-Age=900; Secure",
                "__Host-vb_refresh=vbr_x; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000; Secure",
            ]
        );
        let mut response = Response::new(());
        clear(&https(), &mut response);
        assert_eq!(
            cookies_of(&response),
            [
                "__Host-vb_access=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure",
                "__Host-vb_refresh=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure",
            ]
        );
    }

    #[test]
    fn scheme_of_the_public_url_is_compared_in_either_case() {
        for (url, expected) in [
            ("HTTPS://bot.example", true),
            ("https://bot.example", true),
            ("Http://bot.example", false),
            ("http://https:443", false),
        ] {
            assert_eq!(is_https(&config(url)), expected, "{url}");
        }
    }

    #[test]
    fn cookie_of_an_expired_token_ends_at_once() {
        let mut response = Response::new(());
        set(&http(), 3_000_000_000, &tokens(), &mut response);
        assert!(
            cookies_of(&response)
                .iter()
                .all(|cookie| cookie.ends_with("Max-Age=0"))
        );
    }

    #[test]
    fn cookie_is_found_among_others_and_in_several_headers() {
        for cookies in [
            vec!["vb_access=token"],
            vec!["theme=dark; vb_access=token; vb_refresh=vbr_x"],
            vec!["theme=dark", "vb_access=token"],
            vec!["name=caf\u{e9};vb_access=token"],
        ] {
            let found = found(&http(), &with_cookies(&cookies));
            assert_eq!(found.as_deref(), Some("token"), "{cookies:?}");
        }
        let headers = with_cookies(&["__Host-vb_access=token"]);
        assert_eq!(found(&https(), &headers).as_deref(), Some("token"));
    }

    #[test]
    fn cookie_with_a_forged_name_is_not_taken() {
        for forged in [
            "vb_access=token",
            "__host-vb_access=token",
            "__Host-VB_access=token",
            "__Host-vb_access2=token",
            "x__Host-vb_access=token",
            "__Host-vb_access =token",
            "\u{a0}__Host-vb_access=token",
            "\u{2000}__Host-vb_access=token",
            "  __Host-vb_access=token",
            "theme=\"dark, __Host-vb_access=token\"",
            "__Host-vb_access",
        ] {
            assert_eq!(found(&https(), &with_cookies(&[forged])), None, "{forged:?}");
        }
        let headers = with_cookies(&["__Host-vb_access=token"]);
        assert_eq!(found(&http(), &headers), None);
    }

    #[test]
    fn two_cookies_of_one_name_are_both_refused() {
        for cookies in [
            vec!["vb_access=token; vb_access=other"],
            vec!["vb_access=token; vb_access=token"],
            vec!["vb_access=token", "vb_access=other"],
        ] {
            assert_eq!(found(&http(), &with_cookies(&cookies)), None, "{cookies:?}");
        }
    }

    #[test]
    fn cookies_above_their_size_limit_are_not_read() {
        let fits = format!("vb_access=token; x={}", "x".repeat(COOKIES_MAX - 19));
        assert_eq!(fits.len(), COOKIES_MAX);
        assert!(found(&http(), &with_cookies(&[&fits])).is_some());
        assert!(found(&http(), &with_cookies(&[&fits, "a"])).is_none());
    }

    #[test]
    fn cookie_without_the_header_against_csrf_is_refused() {
        let mut headers = with_cookies(&["vb_access=token; vb_refresh=vbr_x"]);
        let empty = HeaderValue::from_static("");
        headers.insert(CSRF_HEADER, empty);
        assert_eq!(
            found(&http(), &headers).as_deref(),
            Some("token"),
            "any value suffices"
        );
        headers.remove(CSRF_HEADER);
        let refused = credential(&http(), &headers).expect_err("lacks the header");
        assert_eq!(refused.reason(), Some(Reason::CsrfHeaderMissing));
        let metadata = MetadataMap::from_headers(headers);
        let refused = refresh_token(&http(), &metadata).expect_err("lacks the header");
        assert_eq!(refused.reason(), Some(Reason::CsrfHeaderMissing));
        let bare = HeaderMap::new();
        assert!(
            matches!(credential(&http(), &bare), Ok(None)),
            "there is no cookie"
        );
    }

    #[test]
    fn authorization_header_never_falls_back_to_the_cookie() {
        let cookie = ("cookie", "vb_access=token");
        for malformed in ["", "Bearer", "Basic abc", "token", "\u{e9}"] {
            let headers = headers(&[("authorization", malformed), cookie]);
            assert_eq!(found(&http(), &headers), None, "{malformed:?}");
        }
        let mut headers = headers(&[("authorization", "bEARER vb_x"), cookie]);
        headers.remove(CSRF_HEADER);
        assert_eq!(found(&http(), &headers).as_deref(), Some("vb_x"));
    }
}
