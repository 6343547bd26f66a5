//! Offers of the seller and answers to price requests. Paths as seen 2026 (confidence A).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use crate::inbox::Shows;
use crate::ontology::text;
use crate::site::{Acting, Site};
use crate::validate::FieldError;
use crate::{clock, store};

pub fn routes() -> Router<Arc<Site>> {
    let answer = "/api/v2/transactions/{id}/offer_requests/{request_id}";
    Router::new()
        .route("/api/v2/transactions/{id}/offers", post(name_price))
        .route(
            &format!("{answer}/accept"),
            put(async |site, path, headers| answer_price(site, path, headers, true)),
        )
        .route(
            &format!("{answer}/reject"),
            put(async |site, path, headers| answer_price(site, path, headers, false)),
        )
}

/// The prices that a seller may ask for an item, in minor units (as seen 2026, confidence A).
const PRICE: std::ops::RangeInclusive<i64> = 100..=3_000_000;

#[derive(Deserialize)]
struct Body {
    offer: Offer,
}

#[derive(Deserialize)]
struct Offer {
    /// A decimal number as text.
    price: String,
    currency: String,
}

/// Returns the conversation of a transaction if `acting` is its seller.
fn sold_by(state: &store::State, acting: &Acting, transaction_id: u64) -> Result<u64, Refusal> {
    let deal = state.deal(transaction_id).ok_or(Refusal::NotFound)?;
    if !deal.is_of(acting.member.id) {
        return Err(Refusal::NotFound);
    }
    if deal.seller_id != acting.member.id {
        return Err(Refusal::AccessDenied);
    }
    Ok(deal.id)
}

async fn name_price(
    State(site): State<Arc<Site>>,
    Path(transaction_id): Path<u64>,
    headers: HeaderMap,
    Json(Body { offer }): Json<Body>,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let price = offer.price.parse::<f64>().ok();
    let price = price.map(|price| (price * 100.0).round() as i64);
    let price = price.filter(|price| PRICE.contains(price) && offer.currency == crate::items::CURRENCY);
    let price = price.ok_or_else(|| {
        Refusal::Validation(vec![FieldError {
            field: "price".to_owned(),
            value: text(acting.locale, "offer_range").to_owned(),
        }])
    })?;
    let mut state = site.lock();
    let conversation_id = sold_by(&state, &acting, transaction_id)?;
    let shows = Shows::at_once(clock::now_ms());
    let offer_id = state
        .put_price(conversation_id, true, price, shows)
        .ok_or(Refusal::AccessDenied)?;
    let record = json!({
        "conversation_id": conversation_id,
        "transaction_id": transaction_id,
        "offer_id": offer_id,
        "price_minor": price,
    });
    state.record("offer", acting.member.id, record);
    state.save();
    Ok(Json(
        json!({"offer": {"id": offer_id}, "user_msg_thread_id": conversation_id, "code": 0}),
    ))
}

fn answer_price(
    State(site): State<Arc<Site>>,
    Path((transaction_id, request_id)): Path<(u64, u64)>,
    headers: HeaderMap,
    accept: bool,
) -> Result<Json<Value>, Refusal> {
    let acting = site.writer(&headers)?;
    let mut state = site.lock();
    let conversation_id = sold_by(&state, &acting, transaction_id)?;
    state
        .answer_price(conversation_id, request_id, accept, clock::now_ms())
        .ok_or(Refusal::NotFound)?;
    let kind = if accept {
        "offer_accepted"
    } else {
        "offer_rejected"
    };
    let record = json!({
        "conversation_id": conversation_id,
        "transaction_id": transaction_id,
        "offer_request_id": request_id,
    });
    state.record(kind, acting.member.id, record);
    state.save();
    Ok(Json(json!({"code": 0, "message": "Ok", "message_code": "ok"})))
}
