//! Challenges and blocks, on pages and on calls (as seen 2023 to 2026; each section names its date). There is nothing
//! to solve. Frames and scripts name the hosts of the real site, and the content security policy prevents a browser
//! from contacting them.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::layout::{Visitor, escape};
use crate::clock;
use crate::ontology::{Locale, text};
use crate::script::{Asked, Challenge};

/// The waiting time that a rate limit answer asks for, in seconds.
const RETRY_AFTER_S: u64 = 30;

/// Returns the answer of a challenge to a page or a call. `None` for challenges that change the handler's own answer.
pub fn answer(challenge: Challenge, asked: &Asked) -> Option<Response> {
    let is_page = asked.operation.is_page();
    let visitor = &asked.visitor;
    let locale = visitor.locale;
    let words = |key: &str| text(locale, key);
    let refused = |status: StatusCode, code: u64, name: &str, payload: Value| {
        let body = json!({
            "code": code, "message": words(name), "message_code": name, "errors": [], "payload": payload,
        });
        (status, Json(body)).into_response()
    };
    let back: String = form_urlencoded::byte_serialize(asked.target.as_bytes()).collect();
    let answer = match (challenge, is_page) {
        (Challenge::CaptchaInPage, true) => return None,
        (Challenge::CaptchaInPage, false) => captcha(StatusCode::OK, locale),
        (Challenge::BotCheckOnCall, _) => blocked(is_page, locale),
        (Challenge::Cloudflare, _) => cloudflare(locale),
        (Challenge::SecondFactor, true) => second_factor(visitor),
        (Challenge::SecondFactor, false) => refused(
            StatusCode::FORBIDDEN,
            146,
            "two_factor_required",
            json!({"entity_id": clock::uuid(), "entity_type": "user"}),
        ),
        (Challenge::AccountVerification, true) => Redirect::to("/users/verification/phone").into_response(),
        (Challenge::AccountVerification, false) => refused(
            StatusCode::FORBIDDEN,
            168,
            "phone_verification_required",
            json!({}),
        ),
        (Challenge::LoginLost, true) => {
            Redirect::to(&format!("/member/signup/select_type?ref_url={back}")).into_response()
        }
        (Challenge::LoginLost, false) => refused(StatusCode::UNAUTHORIZED, 21, "login_required", json!({})),
        (Challenge::SessionRefresh, true) => {
            Redirect::to(&format!("/session-refresh?ref_url={back}&stuck=1")).into_response()
        }
        (Challenge::SessionRefresh, false) => refused(
            StatusCode::UNAUTHORIZED,
            100,
            "invalid_authentication_token",
            json!({}),
        ),
        (Challenge::RateLimit, true) => {
            let body = format!("<h1>{}</h1>", escape(words("rate_limited")));
            bare(
                StatusCode::TOO_MANY_REQUESTS,
                locale,
                words("rate_limited"),
                &body,
            )
        }
        (Challenge::RateLimit, false) => {
            let body =
                json!({"message": words("rate_limited"), "message_code": "rate_limited", "errors": []});
            let wait = [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S))];
            (StatusCode::TOO_MANY_REQUESTS, wait, Json(body)).into_response()
        }
        (Challenge::Restriction, true) => {
            let title = words("action_restricted");
            let body = format!(
                "<h1>{}</h1><p>{}</p>",
                escape(title),
                escape(words("restricted_why"))
            );
            visitor.page(StatusCode::OK, title, &body, Value::Null)
        }
        (Challenge::Restriction, false) => {
            refused(StatusCode::FORBIDDEN, 156, "action_restricted", json!({}))
        }
        (Challenge::BrokenPage, true) => visitor.broken(),
        (Challenge::BrokenPage, false) => {
            let wrong = words("something_wrong");
            let body = format!("<h1>{}</h1>", escape(wrong));
            bare(StatusCode::INTERNAL_SERVER_ERROR, locale, wrong, &body)
        }
        (Challenge::UnknownBlock, true) => {
            let body = format!(
                "<h1>{}</h1><p>#{}</p>",
                escape(words("not_now")),
                clock::hex(&clock::random::<6>())
            );
            bare(StatusCode::FORBIDDEN, locale, words("not_now"), &body)
        }
        (Challenge::UnknownBlock, false) => {
            let body = json!({"ok": false, "reference": clock::hex(&clock::random::<6>())});
            (StatusCode::FORBIDDEN, Json(body)).into_response()
        }
        (Challenge::EmptiedJson, true) => visitor.page(StatusCode::OK, "", "", Value::Null),
        (Challenge::EmptiedJson, false) if asked.operation.only_reads() => return None,
        (Challenge::EmptiedJson, false) => Json(json!({"code": 0})).into_response(),
    };
    Some(answer)
}

/// Returns a page without the site's layout, as a service in front of the site answers.
fn bare(status: StatusCode, locale: Locale, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n<body>{body}</body></html>\n",
        locale.code(),
        escape(title),
    );
    (status, Html(html)).into_response()
}

/// Returns the bot check's 403 (confidence A): a page on navigation, JSON with the captcha's address on calls.
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

/// Returns a page that contains only a captcha frame (confidence A).
pub fn captcha(status: StatusCode, locale: Locale) -> Response {
    let body = format!(
        r#"<script async src="https://static-assets.vinted.com/datadome/5.0/tags.js"></script>{}"#,
        overlay(locale)
    );
    bare(status, locale, "vinted", &body)
}

/// Returns a captcha frame that covers the page (confidence A).
pub fn overlay(locale: Locale) -> String {
    let cid = clock::hex(&clock::random::<16>());
    format!(
        r#"<div id="datadome-captcha" class="ddg-modal" style="position:fixed;inset:0;z-index:1000;background:rgb(255 255 255 / 90%)"><p>{verify}</p>
<iframe title="DataDome CAPTCHA" width="400" height="300" src="https://geo.captcha-delivery.com/captcha/?initialCid={cid}"></iframe>
</div>"#,
        verify = escape(text(locale, "verify")),
    )
}

/// Returns Cloudflare's page; it is the same on navigation and on calls (confidence B).
fn cloudflare(locale: Locale) -> Response {
    let headers = AppendHeaders([
        (HeaderName::from_static("cf-mitigated"), "challenge".to_owned()),
        (
            HeaderName::from_static("cf-ray"),
            format!("{}-CDG", clock::hex(&clock::random::<8>())),
        ),
        (header::SERVER, "cloudflare".to_owned()),
        (
            header::SET_COOKIE,
            format!(
                "__cf_bm={}; Path=/; HttpOnly; SameSite=Lax",
                clock::hex(&clock::random::<24>())
            ),
        ),
    ]);
    let body = format!(
        r#"<h1>practice</h1><p id="challenge-running">{checking}</p>
<form id="challenge-form" action="/?__cf_chl_f_tk=practice" method="POST"></form>
<script>window._cf_chl_opt={{cType:"managed"}}</script>"#,
        checking = escape(text(locale, "cf_checking")),
    );
    let page = bare(StatusCode::FORBIDDEN, locale, text(locale, "cf_title"), &body);
    (headers, page).into_response()
}

/// Returns the page that asks to confirm a new device (ids as seen 2023, confidence A; later ids are not known).
fn second_factor(visitor: &Visitor) -> Response {
    let t = |key: &str| escape(text(visitor.locale, key));
    let body = format!(
        r#"<div id="TwoFactorVerification"><h1>{title}</h1>
<label for="verification_code">{code}</label>
<input type="text" id="verification_code" name="verification_code" inputmode="numeric" autocomplete="one-time-code">
<label><input type="checkbox" id="isTrustedDevice"> {trust}</label>
<button type="button">{go_on}</button></div>"#,
        title = t("two_factor_required"),
        code = t("code"),
        trust = t("trust_device"),
        go_on = t("go_on"),
    );
    let title = text(visitor.locale, "two_factor_required");
    visitor.page(StatusCode::OK, title, &body, Value::Null)
}
