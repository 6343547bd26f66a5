//! `make streams`: disconnects watchers repeatedly; they continue from their cursors. Exits with status 0 only if each
//! watcher got every event exactly once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use vintedbot_proofs::failpoints;
use vintedbot_proofs::streams::{self, Options, verify};

/// Cuts event streams and compares the received events with the log.
#[derive(Parser)]
struct Arguments {
    /// The number of cuts of established streams. By default 10000, or 300 with a failpoint.
    #[arg(long, env = "CUTS")]
    cuts: Option<usize>,
    /// The seed of the order and the positions of the cuts.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// Disables a protecting rule: `cursor`. The proof must then fail.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
    /// Only compares the files of watchers in this folder.
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
        let database = arguments.database.context("--verify requires --database")?;
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
        eprintln!("files of the watchers: {}", folder.keep().display());
    }
    println!("{report}");
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
