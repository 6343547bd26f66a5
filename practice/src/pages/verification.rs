//! The pages to which members are sent if their account must be verified first (paths as seen 2026-10, confidence A;
//! the content of the pages is not known).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::layout::{Visitor, escape};
use crate::ontology::text;
use crate::site::Site;

pub async fn account(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let visitor = Visitor::of(&site, &headers);
    let link = format!(
        r#"<a href="/users/verification/phone">{}</a>"#,
        escape(text(visitor.locale, "phone_verification_required"))
    );
    page(&visitor, "verify_account", &link)
}

pub async fn phone(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let visitor = Visitor::of(&site, &headers);
    let input = field(&visitor, "phone", "tel", "phone_number");
    page(&visitor, "phone_verification_required", &input)
}

pub async fn email_code(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let visitor = Visitor::of(&site, &headers);
    let input = field(&visitor, "code", "text", "verification_code");
    page(&visitor, "email_code", &input)
}

fn field(visitor: &Visitor, label: &str, kind: &str, name: &str) -> String {
    format!(
        r#"<label>{} <input type="{kind}" name="{name}" autocomplete="off"></label>"#,
        escape(text(visitor.locale, label))
    )
}

fn page(visitor: &Visitor, title: &str, content: &str) -> Response {
    let title = text(visitor.locale, title);
    let body = format!(
        r#"<h1>{}</h1>{content}<button type="button">{}</button>"#,
        escape(title),
        escape(text(visitor.locale, "go_on"))
    );
    visitor.page(StatusCode::OK, title, &body, Value::Null)
}
