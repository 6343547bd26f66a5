//! Records the outcome of an attempt, and schedules the retry or disables the endpoint.

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::schedule::{DISABLED_AFTER, pause};
use super::switch::switch_off;
use super::{Claim, DeliveryState, DisableReason, EndpointState, address};
use crate::Result;
use crate::clock::Millis;
use crate::store::entities::{webhook_attempts, webhook_deliveries, webhook_endpoints};
use crate::store::{Store, Tx};

/// The response of a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The headers to store, with lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub truncated: bool,
    /// The delay that the receiver requested, in milliseconds.
    pub retry_after_ms: Option<Millis>,
}

/// One request and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub time: Millis,
    pub duration_ms: Millis,
    pub request_headers: Vec<(String, String)>,
    /// The response, or the reason why no response arrived.
    pub outcome: Result<Answer, String>,
}

impl Sent {
    fn status(&self) -> Option<i64> {
        self.outcome.as_ref().ok().map(|answer| i64::from(answer.status))
    }

    /// Returns why the attempt failed; `None` if it succeeded.
    fn error(&self) -> Option<String> {
        match &self.outcome {
            Ok(answer) if (200..300).contains(&answer.status) => None,
            Ok(answer) if (300..400).contains(&answer.status) => {
                Some(format!("status {}: redirects are not followed", answer.status))
            }
            Ok(answer) if answer.status == GONE => {
                Some("status 410: the receiver no longer wants events".to_owned())
            }
            Ok(answer) => Some(format!("status {}", answer.status)),
            Err(why) => Some(why.clone()),
        }
    }
}

const GONE: u16 = 410;

/// Records an attempt. A success completes the delivery even if another worker holds it by now. A failure counts only
/// if `claim` is still the latest claim.
pub async fn record(store: &Store, claim: &Claim, sent: Sent) -> Result<()> {
    let claim = claim.clone();
    store
        .write(move |tx| {
            let (claim, sent) = (claim.clone(), sent.clone());
            async move {
                let endpoint_id = claim.delivery.endpoint_id.as_str();
                let query = tx.locked(webhook_endpoints::Entity::find_by_id(endpoint_id));
                let Some(endpoint) = query.one(tx).await? else {
                    return Ok(());
                };
                let query = tx.locked(webhook_deliveries::Entity::find_by_id(claim.delivery.id.as_str()));
                let Some(delivery) = query.one(tx).await? else {
                    return Ok(());
                };
                webhook_attempts::Entity::insert(attempt(&claim, &sent)?.into_active_model())
                    .exec_without_returning(tx)
                    .await?;
                if delivery.state != DeliveryState::Pending {
                    return Ok(());
                }
                let is_holder = delivery.attempts == claim.delivery.attempts;
                match sent.error() {
                    None => {
                        settle(tx, delivery, &sent, DeliveryState::Delivered).await?;
                        if endpoint.failing_since.is_some() {
                            failing_since(tx, endpoint_id, None).await?;
                        }
                    }
                    Some(_) if is_holder => failed(tx, endpoint, delivery, &sent).await?,
                    Some(_) => {}
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

async fn failed(
    tx: &Tx,
    endpoint: webhook_endpoints::Model,
    mut delivery: webhook_deliveries::Model,
    sent: &Sent,
) -> Result<()> {
    let now = tx.now().await?;
    delivery.failures += 1;
    let answer = sent.outcome.as_ref().ok();
    let requested = answer.and_then(|answer| answer.retry_after_ms);
    match pause(delivery.failures, requested, tx.secret()) {
        Some(pause) => {
            delivery.due_time = now + pause;
            settle(tx, delivery, sent, DeliveryState::Pending).await?;
        }
        None => settle(tx, delivery, sent, DeliveryState::Failed).await?,
    }
    if endpoint.state != EndpointState::Enabled {
        return Ok(());
    }
    let since = endpoint.failing_since.unwrap_or(now);
    if answer.is_some_and(|answer| answer.status == GONE) {
        return switch_off(
            tx,
            endpoint,
            DisableReason::Gone,
            "the receiver answered with status 410: it no longer wants events",
        )
        .await;
    }
    if now - since >= DISABLED_AFTER {
        let message = "all attempts failed for 5 days";
        return switch_off(tx, endpoint, DisableReason::Failing, message).await;
    }
    if endpoint.failing_since.is_none() {
        failing_since(tx, &endpoint.id, Some(now)).await?;
    }
    Ok(())
}

async fn failing_since(tx: &Tx, endpoint_id: &str, since: Option<Millis>) -> Result<()> {
    webhook_endpoints::Entity::update_many()
        .col_expr(webhook_endpoints::Column::FailingSince, Expr::value(since))
        .filter(webhook_endpoints::Column::Id.eq(endpoint_id))
        .exec(tx)
        .await?;
    Ok(())
}

async fn settle(
    tx: &Tx,
    mut delivery: webhook_deliveries::Model,
    sent: &Sent,
    state: DeliveryState,
) -> Result<()> {
    let now = tx.now().await?;
    delivery.state = state;
    delivery.last_status = sent.status();
    delivery.update_time = now;
    delivery.end_time = (state != DeliveryState::Pending).then_some(now);
    delivery.into_active_model().reset_all().update(tx).await?;
    Ok(())
}

fn attempt(claim: &Claim, sent: &Sent) -> Result<webhook_attempts::Model> {
    let answer = sent.outcome.as_ref().ok().cloned().unwrap_or_default();
    Ok(webhook_attempts::Model {
        delivery_id: claim.delivery.id.clone(),
        number: claim.delivery.attempts,
        url: address::redacted(&claim.url),
        time: sent.time,
        duration_ms: sent.duration_ms,
        request_headers: serde_json::to_string(&sent.request_headers)?,
        status: sent.status(),
        response_headers: serde_json::to_string(&answer.headers)?,
        // PostgreSQL cannot store NUL characters.
        response_body: answer.body.replace('\0', "\u{fffd}"),
        truncated: answer.truncated,
        error: sent.error(),
    })
}
