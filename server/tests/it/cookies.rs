//! Sessions in cookies, as pages of this server use them over gRPC-web.

use http::HeaderMap;
use prost::Message;
use tonic::Code;
use vintedbot_domain::identity::Role;
use vintedbot_proto::v1;
use vintedbot_server::Config;

use crate::harness::{self, Instance, http, reason};
use crate::people::{credentials, person};
use crate::web::{self, status};

const CSRF: (&str, &str) = ("x-csrf-protection", "1");
/// The most seconds that a test takes until it reads the age of a new cookie.
const PATIENCE: u64 = 60;

/// Calls a method as a page does. Returns the response's headers and message.
async fn call<T: Message + Default>(
    instance: &Instance,
    method: &str,
    request: &impl Message,
    headers: &[(&str, &str)],
) -> (HeaderMap, T) {
    let method = format!("AuthService/{method}");
    let (headers, _, message) = web::call_without_token(instance, &method, request, headers).await;
    (headers, T::decode(&message[..]).expect("a message"))
}

/// Returns the refusal of a call. `None` if it succeeded.
fn refusal(headers: &HeaderMap) -> Option<(Code, String)> {
    let status = status(headers);
    (status.code() != Code::Ok).then(|| (status.code(), reason(&status)))
}

/// Returns the refusal of GetMe with these headers.
async fn get_me(instance: &Instance, headers: &[(&str, &str)]) -> Option<(Code, String)> {
    let (headers, _) = call::<v1::GetMeResponse>(instance, "GetMe", &v1::GetMeRequest {}, headers).await;
    refusal(&headers)
}

fn set_cookies(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all("set-cookie").iter();
    values.map(|value| value.to_str().expect("ASCII")).collect()
}

/// Returns the header with which a browser sends the cookies back.
fn cookie_header(headers: &HeaderMap) -> String {
    let cookies = set_cookies(headers).into_iter();
    let pairs: Vec<_> = cookies
        .map(|cookie| cookie.split(';').next().expect("a pair"))
        .collect();
    pairs.join("; ")
}

/// Splits a cookie into its name, its attributes without Max-Age, and Max-Age.
fn parts(cookie: &str) -> (&str, String, u64) {
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    let (name, _) = pair.split_once('=').expect("a value");
    let all = attributes.split("; ");
    let (ages, others): (Vec<_>, Vec<_>) = all.partition(|attribute| attribute.starts_with("Max-Age="));
    let age = ages[0].trim_start_matches("Max-Age=").parse::<u64>();
    (name, others.join("; "), age.expect("seconds"))
}

/// Signs in with cookies. Returns the headers of the response.
async fn sign_in(instance: &Instance) -> HeaderMap {
    person(instance, "anna@example.com", Role::Owner).await;
    let request = v1::SignInRequest {
        use_cookies: true,
        ..credentials("anna@example.com")
    };
    let (headers, response) = call::<v1::SignInResponse>(instance, "SignIn", &request, &[]).await;
    let tokens = response.tokens.expect("times");
    assert_eq!(
        (tokens.access_token.as_str(), tokens.refresh_token.as_str()),
        ("", "")
    );
    let seconds = |time: Option<prost_types::Timestamp>| time.expect("a time").seconds;
    assert!(seconds(tokens.access_expire_time) < seconds(tokens.refresh_expire_time));
    headers
}

#[tokio::test]
async fn page_signs_in_refreshes_and_signs_out_with_cookies() {
    let instance = harness::start().await;
    let signed_in = sign_in(&instance).await;
    let ages = [15 * 60, 30 * 24 * 3_600];
    for ((cookie, name), expected) in set_cookies(&signed_in)
        .into_iter()
        .zip(["vb_access", "vb_refresh"])
        .zip(ages)
    {
        let (found, attributes, age) = parts(cookie);
        assert_eq!(found, name);
        assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict");
        assert!((expected - PATIENCE..=expected).contains(&age), "{cookie}");
    }
    let cookies = cookie_header(&signed_in);
    assert_eq!(get_me(&instance, &[("cookie", &cookies), CSRF]).await, None);

    let empty = v1::RefreshSessionRequest::default();
    let headers = [("cookie", cookies.as_str()), CSRF];
    let (refreshed, response) =
        call::<v1::RefreshSessionResponse>(&instance, "RefreshSession", &empty, &headers).await;
    assert_eq!(refusal(&refreshed), None);
    let tokens = response.tokens.expect("times");
    assert_eq!(
        (tokens.access_token.as_str(), tokens.refresh_token.as_str()),
        ("", "")
    );
    let newer = cookie_header(&refreshed);
    assert_ne!(newer, cookies);
    assert_eq!(get_me(&instance, &[("cookie", &newer), CSRF]).await, None);

    let everything = v1::SignOutRequest::default();
    let headers = [("cookie", newer.as_str()), CSRF];
    let (signed_out, _) = call::<v1::SignOutResponse>(&instance, "SignOut", &everything, &headers).await;
    assert_eq!(refusal(&signed_out), None);
    for (cookie, name) in set_cookies(&signed_out)
        .into_iter()
        .zip(["vb_access", "vb_refresh"])
    {
        assert_eq!(
            cookie,
            format!("{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
        );
    }
    let invalid = Some((Code::Unauthenticated, "TOKEN_INVALID".to_owned()));
    assert_eq!(get_me(&instance, &[("cookie", &newer), CSRF]).await, invalid);
    let (refused, _) =
        call::<v1::RefreshSessionResponse>(&instance, "RefreshSession", &empty, &headers).await;
    let invalid = Some((Code::Unauthenticated, "REFRESH_TOKEN_INVALID".to_owned()));
    assert_eq!(refusal(&refused), invalid);
    instance.stop().await;
}

#[tokio::test]
async fn call_with_cookies_needs_the_header_against_csrf() {
    let instance = harness::start().await;
    let cookies = cookie_header(&sign_in(&instance).await);
    let missing = Some((Code::PermissionDenied, "CSRF_HEADER_MISSING".to_owned()));
    assert_eq!(get_me(&instance, &[("cookie", &cookies)]).await, missing);
    let empty = v1::RefreshSessionRequest::default();
    let headers = [("cookie", cookies.as_str())];
    let (refused, _) =
        call::<v1::RefreshSessionResponse>(&instance, "RefreshSession", &empty, &headers).await;
    assert_eq!(refusal(&refused), missing);
    let bearer = format!("Bearer {}", instance.token);
    let with_token = [("cookie", cookies.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(get_me(&instance, &with_token).await, None, "the token counts");
    instance.stop().await;
}

#[tokio::test]
async fn wrong_authorization_header_never_falls_back_to_cookies() {
    let instance = harness::start().await;
    let cookies = cookie_header(&sign_in(&instance).await);
    for (authorization, expected) in [
        ("", "TOKEN_MISSING"),
        ("Bearer", "TOKEN_MISSING"),
        ("Basic YTpi", "TOKEN_MISSING"),
        ("Bearer vb_wrong", "TOKEN_INVALID"),
    ] {
        let headers = [
            ("cookie", cookies.as_str()),
            CSRF,
            ("authorization", authorization),
        ];
        let refused = Some((Code::Unauthenticated, expected.to_owned()));
        assert_eq!(get_me(&instance, &headers).await, refused, "{authorization:?}");
    }
    let doubled = format!("{cookies}; {cookies}");
    let refused = Some((Code::Unauthenticated, "TOKEN_MISSING".to_owned()));
    assert_eq!(get_me(&instance, &[("cookie", &doubled), CSRF]).await, refused);
    instance.stop().await;
}

#[tokio::test]
async fn cookies_over_https_are_secure_and_bound_to_the_host() {
    let instance = harness::start_with(Config {
        public_url: Some("https://bot.example".to_owned()),
        ..Config::default()
    })
    .await;
    let signed_in = sign_in(&instance).await;
    let names = set_cookies(&signed_in).into_iter().map(|cookie| {
        let (name, attributes, _) = parts(cookie);
        assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict; Secure");
        name
    });
    let names: Vec<_> = names.collect();
    assert_eq!(names, ["__Host-vb_access", "__Host-vb_refresh"]);
    let cookies = cookie_header(&signed_in);
    assert_eq!(get_me(&instance, &[("cookie", &cookies), CSRF]).await, None);
    let unbound = cookies.replace("__Host-", "");
    let refused = Some((Code::Unauthenticated, "TOKEN_MISSING".to_owned()));
    assert_eq!(get_me(&instance, &[("cookie", &unbound), CSRF]).await, refused);
    instance.stop().await;
}

#[tokio::test]
async fn allowed_origin_never_gets_credentials() {
    let instance = harness::start_with(Config {
        allowed_origins: vec!["https://app.example".to_owned()],
        ..Config::default()
    })
    .await;
    let cookies = cookie_header(&sign_in(&instance).await);
    let origin = ("origin", "https://app.example");
    let headers = [("cookie", cookies.as_str()), CSRF, origin];
    let (answered, _) = call::<v1::GetMeResponse>(&instance, "GetMe", &v1::GetMeRequest {}, &headers).await;
    let preflight = http()
        .request(
            http::Method::OPTIONS,
            format!("{}/vintedbot.v1.AuthService/GetMe", instance.url),
        )
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-csrf-protection")
        .send()
        .await
        .expect("answers");
    for headers in [&answered, preflight.headers()] {
        assert!(headers.contains_key("access-control-allow-origin"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
    instance.stop().await;
}
