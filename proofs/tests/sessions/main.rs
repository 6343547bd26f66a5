//! A member's session through everything that can befall it, on both database engines: imported, renewed by several at once,
//! lost between the site's answer and the database, ended, forgotten. Real parts throughout: a practice site that rotates
//! its tokens and ends a session whose old ones are used again, the connector, the worker, the domain. The count is taken
//! from what the site wrote down.

#[macro_use]
#[path = "../support/bare.rs"]
mod bare;
#[path = "../support/postgres.rs"]
mod postgres;

mod ended;
mod imported;
mod renewed;
mod stage;

use postgres::Postgres;
use stage::Stage;

on_both_engines! {
    imported::a_session_is_tried_before_it_counts
    imported::what_does_not_work_changes_nothing
    renewed::many_at_once_renew_a_session_once_and_a_persons_import_wins
    renewed::a_kill_before_the_new_tokens_are_stored_costs_the_session_and_says_so
    renewed::a_lost_answer_is_made_good_where_the_site_still_takes_the_old_tokens
    renewed::an_expired_token_is_renewed_while_it_is_tried
    ended::a_dead_session_stops_its_account_and_a_new_one_starts_it
    ended::a_forgotten_session_is_nowhere
    imported::a_session_belongs_to_its_site
    imported::imports_are_counted
}
