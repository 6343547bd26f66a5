//! `make crash`: kills `vintedbot` at every stage and at random, with and without a browser, and counts what was published.
//! Ends with status 0 only when nothing was published twice, lost, or left to a person who need not be asked.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use vintedbot_proofs::build;
use vintedbot_proofs::crash::{self, Options};

/// Kills that show the harm of a rule that is switched off.
const SABOTAGED_KILLS: usize = 60;

/// Kills vintedbot over and over, and counts what became of what it published.
#[derive(Parser)]
struct Arguments {
    /// Kills without a browser. 1000, or 60 where a rule is switched off.
    #[arg(long, env = "KILLS")]
    kills: Option<usize>,
    /// Kills with a real Chromium. 30, or none where a rule is switched off.
    #[arg(long, env = "BROWSER_KILLS")]
    browser_kills: Option<usize>,
    /// Of the plan and its random moments.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// A protecting rule to switch off: `intent`, `reconcile`, `gate` or `webhooks`. The proof has to fail then.
    #[arg(long, env = "SABOTAGE", default_value = "")]
    sabotage: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let is_whole = arguments.sabotage.is_empty();
    let rules = ["", "intent", "reconcile", "gate", "webhooks"];
    ensure!(
        rules.contains(&arguments.sabotage.as_str()),
        "there is no rule {} to switch off",
        arguments.sabotage
    );
    build::for_harm()?;
    let options = Options {
        kills: arguments
            .kills
            .unwrap_or(if is_whole { 1_000 } else { SABOTAGED_KILLS }),
        browser_kills: arguments.browser_kills.unwrap_or(if is_whole { 30 } else { 0 }),
        seed: arguments.seed,
        sabotage: arguments.sabotage,
    };
    let folder = tempfile::Builder::new().prefix("vintedbot-crash-").tempdir()?;
    let report = crash::run(&options, folder.path()).await?;
    let is_good = report.is_good();
    if !is_good {
        eprintln!("what the instances kept and logged: {}", folder.keep().display());
    }
    println!("{report}");
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
