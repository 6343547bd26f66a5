//! What a bot check looks like: a 403 on calls, a page with a captcha in a frame on navigation (as seen 2026,
//! confidence A). The frame leads back to this machine, so that nothing leaves it; there is nothing to solve.

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use serde_json::json;

use crate::clock;
use crate::ontology::{Locale, text};

/// The 403: a page on navigation, JSON with the captcha's address on calls.
pub fn blocked(is_page: bool, locale: Locale) -> Response {
    let cid = clock::hex(&clock::random::<16>());
    let headers = AppendHeaders([
        (HeaderName::from_static("x-datadome"), "protected".to_owned()),
        (HeaderName::from_static("x-datadome-cid"), cid.clone()),
        (HeaderName::from_static("x-dd-b"), "2".to_owned()),
        (
            header::SET_COOKIE,
            format!("datadome={cid}; Path=/; SameSite=Lax"),
        ),
    ]);
    if is_page {
        return (headers, captcha(StatusCode::FORBIDDEN, locale)).into_response();
    }
    let body = json!({"url": format!("https://geo.captcha-delivery.com/captcha/?initialCid={cid}")});
    (StatusCode::FORBIDDEN, headers, Json(body)).into_response()
}

/// A page that is nothing but a captcha in a frame.
pub fn captcha(status: StatusCode, locale: Locale) -> Response {
    let html = format!(
        r#"<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><title>vinted</title></head>
<body><div id="datadome-captcha"><p>{verify}</p>
<iframe title="DataDome CAPTCHA" width="400" height="300" src="/challenge/captcha-delivery.com/captcha/?initialCid=practice"></iframe>
</div></body></html>
"#,
        lang = locale.code(),
        verify = text(locale, "verify"),
    );
    (status, Html(html)).into_response()
}

/// What the captcha's frame shows.
pub async fn frame() -> Html<&'static str> {
    Html("<!doctype html><title>captcha</title><p>captcha</p>")
}
