//! `make demo`: publishes a listing from photos on the practice site, in a real browser.

use std::process::ExitCode;

use clap::Parser as _;
use vintedbot_proofs::demo;

#[tokio::main]
async fn main() -> ExitCode {
    match demo::run(demo::Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
