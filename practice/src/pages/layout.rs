//! The common parts of all pages: head, header, data for the page's script, and sign-in redirects.

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::appearance::{Appearance, Markup};
use crate::ontology::{Locale, ontology, text};
use crate::session::{self, CSRF_TOKEN, cookie};
use crate::site::{Acting, Site};

/// Escapes a text for HTML elements and quoted attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns JSON that may be placed in a `script` element.
pub fn script_json(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

/// The visitor of a page, signed in or not.
pub struct Visitor {
    pub acting: Option<Acting>,
    pub locale: Locale,
    pub pages: Appearance,
}

impl Visitor {
    pub fn of(site: &Site, headers: &HeaderMap) -> Self {
        let state = site.lock();
        let caller = session::caller(&state, headers);
        let member = caller
            .and_then(|caller| state.members.get(&caller.member_id))
            .cloned();
        let locale = session::page_locale(headers, member.as_ref());
        let mut pages = state.pages_of(member.as_ref());
        pages.cookie_banner &= cookie(headers, "OptanonAlertBoxClosed").is_none();
        pages.country_dialog &= cookie(headers, "domain_selected").is_none();
        Self {
            acting: member.map(|member| Acting { member, locale }),
            locale,
            pages,
        }
    }

    /// Returns the same visitor without a sign-in.
    pub fn signed_out(self) -> Self {
        Self { acting: None, ..self }
    }

    /// Returns the signed-in member, or the redirect to the sign-in. With a refresh token, the redirect leads through a
    /// refresh (as seen 2026, confidence A and B).
    pub fn signed_in(site: &Site, headers: &HeaderMap, uri: &Uri) -> Result<(Self, Acting), Redirect> {
        let visitor = Self::of(site, headers);
        if let Some(acting) = visitor.acting.clone() {
            return Ok((visitor, acting));
        }
        let way = if cookie(headers, "refresh_token_web").is_some() {
            "/session-refresh"
        } else {
            "/member/signup/select_type"
        };
        let back: String = form_urlencoded::byte_serialize(uri.to_string().as_bytes()).collect();
        Err(Redirect::to(&format!("{way}?ref_url={back}")))
    }

    /// Returns a complete page around `body`; `data` is read by its script, in addition to texts and tokens.
    pub fn page(&self, status: StatusCode, title: &str, body: &str, data: Value) -> Response {
        let locale = self.locale;
        let account = match &self.acting {
            Some(acting) => {
                let login = escape(&acting.member.login);
                let id = acting.member.id;
                // The link had no test id (as seen 2026-05, confidence A).
                let sell_test_id = if self.pages.markup == Markup::May2026 {
                    ""
                } else {
                    r#" data-testid="prohibited-listing-education-upload-button""#
                };
                format!(
                    r#"<a href="/inbox" data-testid="header-conversations-button">✉</a>
<button type="button" data-testid="header-notification-button">🔔</button>
<a href="/member/{id}" id="user-menu-button" data-testid="user-menu-button"><img alt="{login}" width="24" height="24" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="></a>
<a href="/items/new" class="sell"{sell_test_id}>{sell}</a>
<button type="button" data-ref="log-out" data-testid="user-menu--logout-button">{log_out}</button>"#,
                    sell = text(locale, "sell"),
                    log_out = text(locale, "log_out"),
                )
            }
            None => format!(
                r#"<a href="/member/signup/select_type?ref_url=%2F" data-testid="header--login-button">{}</a>"#,
                text(locale, "login"),
            ),
        };
        let flight = json!({
            "CSRF_TOKEN": CSRF_TOKEN,
            "locale": locale.header(),
            "memberId": self.acting.as_ref().map(|acting| acting.member.id),
        });
        let pushed = script_json(&json!([1, flight.to_string()]));
        let state = script_json(&json!({"texts": ontology().texts(locale), "data": data}));
        let html = format!(
            r#"<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} | Practice</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/site.css">
</head>
<body>
<header>
<a href="/" class="logo">Practice</a>
<button type="button" data-testid="language-selector-button">{lang}</button>
{account}
</header>
<main>
{body}
</main>
{overlays}
<script>self.__next_f=self.__next_f||[];self.__next_f.push({pushed})</script>
<script type="application/json" id="page-state" data-ref="page-state">{state}</script>
<script src="/assets/site.js"></script>
</body>
</html>
"#,
            lang = locale.code(),
            title = escape(title),
            overlays = self.overlays(),
        );
        (status, Html(html)).into_response()
    }

    /// Returns the banner and the dialog that cover every page until they are answered (ids as seen 2026, confidence
    /// B).
    fn overlays(&self) -> String {
        let t = |key: &str| escape(text(self.locale, key));
        let mut overlays = String::new();
        if self.pages.country_dialog {
            overlays.push_str(&format!(
                r#"<div class="overlay" data-ref="country" data-testid="domain-select-modal--overlay">
<div class="modal" role="dialog" data-testid="domain-select-modal">
<button type="button" data-ref="country-close" data-testid="domain-select-modal-close-button" aria-label="{close}">✕</button>
<h2>{title}</h2><p>{stay}</p></div></div>"#,
                close = t("close"),
                title = t("country_title"),
                stay = t("country_stay"),
            ));
        }
        if self.pages.cookie_banner {
            overlays.push_str(&format!(
                r#"<div id="onetrust-consent-sdk" data-ref="consent"><div class="onetrust-pc-dark-filter"></div>
<div id="onetrust-banner-sdk" role="dialog"><h2>{title}</h2><p>{words}</p>
<button type="button" id="onetrust-reject-all-handler" data-ref="consent-reject">{reject}</button>
<button type="button" id="onetrust-accept-btn-handler" data-ref="consent-accept">{accept}</button></div></div>"#,
                title = t("cookies_title"),
                words = t("cookies_text"),
                reject = t("cookies_reject"),
                accept = t("cookies_accept"),
            ));
        }
        overlays
    }

    /// Returns the page for an address without an item or member (test id as seen 2026, confidence A).
    pub fn not_found(&self) -> Response {
        let missing = text(self.locale, "page_missing");
        self.page(
            StatusCode::NOT_FOUND,
            missing,
            &format!(
                r#"<div data-testid="page-not-found"><h1>{}</h1></div>"#,
                escape(missing)
            ),
            Value::Null,
        )
    }

    /// Returns the page for an editor that cannot be opened: of a deleted draft, or of another member's item.
    pub fn broken(&self) -> Response {
        let wrong = text(self.locale, "something_wrong");
        self.page(
            StatusCode::NOT_FOUND,
            wrong,
            &format!("<h1>{}</h1>", escape(wrong)),
            Value::Null,
        )
    }
}
