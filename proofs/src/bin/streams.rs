//! `make streams`: watchers are cut over and over, and go on from their cursors. Ends with status 0 only when each of them
//! got every event once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use vintedbot_proofs::failpoints;
use vintedbot_proofs::streams::{self, Options, verify};

/// Cuts streams of events, and compares what came with the log.
#[derive(Parser)]
struct Arguments {
    /// Cuts of established streams. 10000, or 300 with a failpoint.
    #[arg(long, env = "CUTS")]
    cuts: Option<usize>,
    /// Of the order and the places of the cuts.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// Disables a protecting rule: `cursor`. The proof must fail then.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
    /// Compares what watchers left in this folder, and does nothing else.
    #[arg(long)]
    verify: Option<PathBuf>,
    /// The database to compare with.
    #[arg(long)]
    database: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(folder) = arguments.verify {
        let database = arguments.database.context("--database")?;
        let compared = verify::compare(&folder, &database)?;
        println!("{}", serde_json::to_string(&compared)?);
        return Ok(ExitCode::SUCCESS);
    }
    failpoints::check(&arguments.failpoints, &["cursor"])?;
    let usual = if arguments.failpoints.is_empty() {
        10_000
    } else {
        300
    };
    let options = Options {
        cuts: arguments.cuts.unwrap_or(usual),
        seed: arguments.seed,
        failpoints: arguments.failpoints,
    };
    let folder = tempfile::Builder::new().prefix("vintedbot-streams-").tempdir()?;
    let report = streams::run(&options, folder.path()).await?;
    let is_good = report.is_good();
    if !is_good {
        eprintln!("what the watchers got: {}", folder.keep().display());
    }
    println!("{report}");
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
