//! Webhooks on both database engines: the log, the table of deliveries and its clock, and the worker's real requests to
//! a scripted receiver.

#[macro_use]
#[path = "../support/bare.rs"]
mod bare;
#[path = "../support/postgres.rs"]
mod postgres;

mod answers;
mod given;
mod order;
mod passed_on;
mod replayed;
mod retried;
mod secure;
mod stage;
mod verified;

use postgres::Postgres;
use stage::Stage;

on_both_engines! {
    passed_on::event_becomes_one_delivery_per_subscribed_endpoint
    passed_on::retention_keeps_events_that_endpoints_need
    passed_on::event_beyond_the_creators_scopes_is_not_sent
    order::ordered_endpoint_has_one_delivery_in_flight
    order::claim_lasts_as_long_as_its_lease
    retried::five_days_of_failures_disable_the_endpoint
    retried::gone_disables_at_once_and_retry_after_is_obeyed
    replayed::replay_sends_a_time_range_with_missed_events
    replayed::replayed_delivery_keeps_its_id
    given::old_secret_signs_until_it_expires
    given::invalid_endpoint_is_refused
    answers::slow_receivers_do_not_block_other_endpoints
}

#[tokio::test(flavor = "multi_thread")]
async fn rebound_dns_name_is_not_followed() -> anyhow::Result<()> {
    answers::rebound(Stage::open(None).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn official_packages_verify_signatures() -> anyhow::Result<()> {
    verified::by_other_languages(Stage::open(None).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_against_the_system_trust_store() -> anyhow::Result<()> {
    secure::only_trusted_certificates_are_accepted().await
}
