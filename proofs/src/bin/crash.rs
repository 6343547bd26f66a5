//! `make crash`: kills `vintedbot` at every stage and at random, with and without a browser, and counts the
//! publications. Exits with status 0 only if nothing was published twice, nothing was lost, and no person was asked
//! needlessly.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use vintedbot_proofs::crash::{self, Options};
use vintedbot_proofs::failpoints;

/// Enough kills to show the harm of a disabled rule.
const FAILPOINT_KILLS: usize = 60;

/// Kills vintedbot repeatedly and counts the outcomes of its publications.
#[derive(Parser)]
struct Arguments {
    /// The number of kills without a browser. By default 1000, or 60 with a failpoint.
    #[arg(long, env = "KILLS")]
    kills: Option<usize>,
    /// The number of kills with a real Chromium. By default 30, or none with a failpoint.
    #[arg(long, env = "BROWSER_KILLS")]
    browser_kills: Option<usize>,
    /// The seed of the plan and its random moments.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// Disables a protecting rule: `intent`, `reconcile`, `intent_checks` or `webhooks`. The proof must then fail.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let is_whole = arguments.failpoints.is_empty();
    failpoints::ensure_compiled()?;
    failpoints::check(
        &arguments.failpoints,
        &["intent", "reconcile", "intent_checks", "webhooks"],
    )?;
    let options = Options {
        kills: arguments
            .kills
            .unwrap_or(if is_whole { 1_000 } else { FAILPOINT_KILLS }),
        browser_kills: arguments.browser_kills.unwrap_or(if is_whole { 30 } else { 0 }),
        seed: arguments.seed,
        failpoints: arguments.failpoints,
    };
    let folder = tempfile::Builder::new().prefix("vintedbot-crash-").tempdir()?;
    let report = crash::run(&options, folder.path()).await?;
    let is_good = report.is_good();
    if !is_good {
        eprintln!("data and logs of the instances: {}", folder.keep().display());
    }
    println!("{report}");
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
