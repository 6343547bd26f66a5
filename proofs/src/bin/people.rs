//! `make people`: refreshes sessions in many interleavings, replays stolen tokens, and calls with the ids of other
//! workspaces. Exits with status 0 only if no harm was counted and the bars hold.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use vintedbot_proofs::failpoints;
use vintedbot_proofs::people::{self, Options};

/// Counts sessions that an honest client loses, replays that are not detected, and ids that leak to other workspaces.
#[derive(Parser)]
struct Arguments {
    /// Runs only a sample. Its times are not judged.
    #[arg(long, env = "SAMPLE")]
    sample: bool,
    /// The number of interleavings. By default 10000, or 500 in a sample or with a failpoint.
    #[arg(long, env = "INTERLEAVINGS")]
    interleavings: Option<u64>,
    /// The seed of the first interleaving.
    #[arg(long, env = "SEED", default_value_t = 0)]
    seed: u64,
    /// Disables a protecting rule, such as `refresh_grace`, `refresh_reuse` or `streams_revoked`. The proof must then
    /// fail.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    failpoints::check(&arguments.failpoints, &people::rules())?;
    let usual = if arguments.sample || !arguments.failpoints.is_empty() {
        500
    } else {
        10_000
    };
    let options = Options {
        sample: arguments.sample,
        interleavings: arguments.interleavings.unwrap_or(usual),
        seed: arguments.seed,
        failpoints: arguments.failpoints,
    };
    let folder = tempfile::Builder::new().prefix("vintedbot-people-").tempdir()?;
    let report = people::run(&options, folder.path()).await?;
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
