//! Webhooks through everything that can befall them, on both database engines: the log, the table of deliveries and its
//! clock; and the worker's real requests to a receiver that plays every part.

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
    passed_on::every_event_becomes_one_delivery_of_each_endpoint_that_takes_it
    passed_on::what_an_endpoint_has_yet_to_take_in_is_kept_and_what_is_gone_is_passed_over
    passed_on::what_the_maker_may_not_read_is_not_sent
    order::an_ordered_endpoint_has_one_event_under_way
    order::a_claim_lasts_as_long_as_its_lease
    retried::a_failure_is_tried_again_by_the_table_and_five_days_of_them_disable
    retried::gone_disables_at_once_and_a_wish_to_be_left_alone_is_obeyed
    replayed::a_window_is_sent_again_with_what_was_missed
    replayed::one_delivery_is_sent_again_under_its_id
    given::an_old_secret_signs_until_its_time
    given::what_is_not_as_it_must_be_is_refused
    answers::every_event_arrives_whatever_other_receivers_do
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_inside_the_second_time_is_not_followed() -> anyhow::Result<()> {
    answers::rebound(Stage::open(None).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_packages_of_two_other_languages_verify_what_is_sent() -> anyhow::Result<()> {
    verified::by_other_languages(Stage::open(None).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_by_what_the_machine_trusts() -> anyhow::Result<()> {
    secure::what_the_machine_trusts_and_nothing_else().await
}
