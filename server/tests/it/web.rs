//! Browsers: gRPC-web over HTTP/1.1, and allowed origins.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use tonic::{Code, Status};
use vintedbot_proto::v1;
use vintedbot_server::Config;

use crate::harness::{self, Instance, http, reason};

/// Makes a unary call as a browser does: HTTP/1.1, gRPC-web framing. Returns the headers (with the trailers from the
/// body merged in), the status, and the bytes of the message.
pub async fn call(
    instance: &Instance,
    method: &str,
    message: &impl Message,
    headers: &[(&str, &str)],
) -> (HeaderMap, StatusCode, Vec<u8>) {
    send(instance, method, frame(message), headers).await
}

/// Makes a unary call without a token; see [`call`].
pub async fn call_without_token(
    instance: &Instance,
    method: &str,
    message: &impl Message,
    headers: &[(&str, &str)],
) -> (HeaderMap, StatusCode, Vec<u8>) {
    exchange(post(instance, method, headers).body(frame(message))).await
}

fn frame(message: &impl Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).expect("small").to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}

pub async fn send(
    instance: &Instance,
    method: &str,
    body: Vec<u8>,
    headers: &[(&str, &str)],
) -> (HeaderMap, StatusCode, Vec<u8>) {
    let request = post(instance, method, headers).bearer_auth(&instance.token);
    exchange(request.body(body)).await
}

fn post(instance: &Instance, method: &str, headers: &[(&str, &str)]) -> RequestBuilder {
    let mut request = http()
        .post(format!("{}/vintedbot.v1.{method}", instance.url))
        .version(reqwest::Version::HTTP_11)
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
}

async fn exchange(request: RequestBuilder) -> (HeaderMap, StatusCode, Vec<u8>) {
    let response = request.send().await.expect("answers");
    let (mut headers, status) = (response.headers().clone(), response.status());
    let mut rest = &response.bytes().await.expect("a body")[..];
    let mut message = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(5) {
        let length = u32::from_be_bytes(head[1..].try_into().expect("four bytes")) as usize;
        let (frame, tail) = tail.split_at(length);
        rest = tail;
        if head[0] & 0x80 == 0 {
            message = frame.to_vec();
        } else {
            for line in String::from_utf8_lossy(frame).lines() {
                let (name, value) = line.split_once(':').expect("a trailer");
                let name = reqwest::header::HeaderName::try_from(name.trim()).expect("a name");
                headers.insert(name, value.trim().parse().expect("a value"));
            }
        }
    }
    (headers, status, message)
}

/// Returns the headers of the answer to a call whose message never comes, over HTTP/1.1 or as native gRPC.
pub async fn stalled(instance: &Instance, native: bool, timeout: Option<&str>) -> HeaderMap {
    #[expect(clippy::disallowed_methods, reason = "it talks to this process alone")]
    let builder = reqwest::Client::builder();
    let (builder, content_type) = if native {
        (builder.http2_prior_knowledge(), "application/grpc")
    } else {
        (builder.http1_only(), "application/grpc-web+proto")
    };
    let nothing = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = builder
        .build()
        .expect("a client")
        .post(format!(
            "{}/vintedbot.v1.AccountService/ListAccounts",
            instance.url
        ))
        .header("content-type", content_type)
        .bearer_auth(&instance.token)
        .body(reqwest::Body::wrap_stream(nothing));
    let request = match timeout {
        Some(timeout) => request.header("grpc-timeout", timeout),
        None => request,
    };
    request.send().await.expect("answers").headers().clone()
}

/// Reads the gRPC status from the headers of a response.
pub fn status(headers: &HeaderMap) -> Status {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let code = Code::from_bytes(text("grpc-status").as_bytes());
    let details = STANDARD_NO_PAD
        .decode(text("grpc-status-details-bin").trim_end_matches('='))
        .expect("base64");
    Status::with_details(code, text("grpc-message"), details.into())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn config() -> Config {
    Config {
        allowed_origins: vec!["https://app.example".to_owned()],
        ..Config::default()
    }
}

#[tokio::test]
async fn allowed_origin_calls_over_http_1_and_reads_the_status() {
    let instance = harness::start_with(config()).await;
    let origin = [("origin", "https://app.example")];
    let (headers, http_status, message) = call(
        &instance,
        "AuthService/GetMe",
        &v1::GetMeRequest::default(),
        &origin,
    )
    .await;
    assert_eq!(
        (http_status, header(&headers, "grpc-status")),
        (StatusCode::OK, Some("0"))
    );
    assert_eq!(
        header(&headers, "access-control-allow-origin"),
        Some("https://app.example")
    );
    assert_eq!(
        header(&headers, "content-type"),
        Some("application/grpc-web+proto")
    );
    let exposed = header(&headers, "access-control-expose-headers")
        .expect("exposes")
        .to_owned();
    for name in [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "x-request-id",
    ] {
        assert!(exposed.contains(name), "{exposed}");
    }
    let answer = v1::GetMeResponse::decode(&message[..]).expect("a message");
    assert_eq!(answer.workspace_id, instance.workspace_id);

    let (headers, _, _) = call(&instance, "AccountService/GetAccount", &(), &origin).await;
    assert_eq!(reason(&status(&headers)), "VALIDATION_FAILED");
    assert_eq!(
        header(&headers, "access-control-allow-origin"),
        Some("https://app.example")
    );
    instance.stop().await;
}

#[tokio::test]
async fn other_origin_gets_no_cors_headers() {
    let instance = harness::start_with(config()).await;
    let origin = [("origin", "https://evil.example")];
    let (headers, _, _) = call(&instance, "AuthService/GetMe", &(), &origin).await;
    assert_eq!(header(&headers, "access-control-allow-origin"), None);
    instance.stop().await;
}

#[tokio::test]
async fn health_is_readable_from_every_origin_once() {
    let instance = harness::start_with(config()).await;
    for (origin, expected) in [
        ("https://evil.example", "*"),
        ("https://app.example", "https://app.example"),
    ] {
        let request = http()
            .get(format!("{}/health", instance.url))
            .header("origin", origin);
        let response = request.send().await.expect("answers");
        let allowed: Vec<_> = response
            .headers()
            .get_all("access-control-allow-origin")
            .iter()
            .collect();
        assert_eq!(allowed, [expected], "{origin}");
    }
    instance.stop().await;
}

#[tokio::test]
async fn preflights_are_answered_for_calls_and_for_uploads() {
    let instance = harness::start_with(config()).await;
    for (path, method) in [
        ("/vintedbot.v1.AuthService/GetMe", "POST"),
        ("/media/upload/x", "PUT"),
    ] {
        let response = http()
            .request(Method::OPTIONS, format!("{}{path}", instance.url))
            .header("origin", "https://app.example")
            .header("access-control-request-method", method)
            .header(
                "access-control-request-headers",
                "authorization,content-type,x-grpc-web,grpc-timeout",
            )
            .header("access-control-request-private-network", "true")
            .send()
            .await
            .expect("answers");
        let headers = response.headers();
        assert!(response.status().is_success(), "{path}");
        assert_eq!(
            header(headers, "access-control-allow-origin"),
            Some("https://app.example"),
            "{path}"
        );
        assert!(
            header(headers, "access-control-allow-methods").is_some_and(|all| all.contains(method)),
            "{path}"
        );
        assert!(
            header(headers, "access-control-allow-headers").is_some_and(|all| all.contains("authorization"))
        );
        assert_eq!(
            header(headers, "access-control-allow-private-network"),
            Some("true"),
            "{path}"
        );
    }
    instance.stop().await;
}

#[tokio::test]
async fn star_allows_every_origin_and_invalid_origin_fails_start() {
    let instance = harness::start_with(Config {
        allowed_origins: vec!["*".to_owned()],
        ..Config::default()
    })
    .await;
    let (headers, _, _) = call(
        &instance,
        "AuthService/GetMe",
        &(),
        &[("origin", "https://any.example")],
    )
    .await;
    assert_eq!(header(&headers, "access-control-allow-origin"), Some("*"));
    instance.stop().await;

    for nonsense in ["app.example", "https://app.example/path", "not an origin"] {
        let config = Config {
            allowed_origins: vec![nonsense.to_owned()],
            ..Config::default()
        };
        let instance = harness::start_with(config).await;
        let ended = instance.served.await.expect("did not panic");
        assert!(
            ended.is_err_and(|error| error.to_string().contains("ALLOWED_ORIGINS")),
            "{nonsense}"
        );
    }
}

#[tokio::test]
async fn pages_of_the_console_have_a_strict_policy() {
    let instance = harness::start().await;
    let get = async |path: &str, accept: &str| {
        let request = http()
            .get(format!("{}{path}", instance.url))
            .header("accept", accept);
        request.send().await.expect("answers")
    };
    // The console is there only if it was built before.
    let root = get("/", "text/html").await;
    let page = get("/inbox/some-thread", "text/html,*/*").await;
    assert_eq!(root.status(), page.status());
    for response in [root, page] {
        let policy = header(response.headers(), "content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(response.text().await.expect("text").contains("vintedbot"));
    }
    for (path, accept) in [
        ("/assets/index-of-an-older-build.js", "text/html"),
        ("/media/nothing/here", "text/html"),
        ("/vintedbot.v1.AuthService/GetMe", "text/html"),
        ("/.vite/manifest.json", "*/*"),
        ("/../Cargo.toml", "*/*"),
        ("/inbox", "application/json"),
    ] {
        let response = get(path, accept).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let body: serde_json::Value = response.json().await.expect("JSON");
        assert_eq!(body["code"], "NOT_FOUND", "{path}");
    }
    let posted = http().post(&instance.url).send().await.expect("answers");
    assert_eq!(posted.status(), StatusCode::NOT_FOUND);
    instance.stop().await;
}
