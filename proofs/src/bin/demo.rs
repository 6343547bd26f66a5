//! `make demo`: photos become a listing on the practice site, by a real browser, before one's eyes.

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
