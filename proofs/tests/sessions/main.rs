//! The life cycle of a member's session on both database engines: import, concurrent renewal, loss between the site's
//! answer and the database, end, and deletion. All parts are real: the connector, the worker, the domain, and a
//! practice site that rotates tokens and ends a session whose old tokens are reused. The site's records give the
//! counts.

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
    imported::imported_session_is_tested_before_use
    imported::failed_import_changes_nothing
    renewed::concurrent_renewal_runs_once_and_import_wins
    renewed::kill_before_storing_new_tokens_ends_the_session
    renewed::lost_refresh_answer_recovers_if_old_token_is_valid
    renewed::expired_token_is_renewed_during_import
    ended::invalid_session_pauses_its_account_until_import
    ended::deleted_session_leaves_no_trace
    imported::session_is_bound_to_its_site
    imported::imports_are_rate_limited
}
