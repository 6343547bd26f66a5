//! Runs the helper processes of a driver, for this crate's tests. The shipped program runs them itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    vintedbot_connector::run_as_host(std::env::args_os()).unwrap_or(ExitCode::FAILURE)
}
