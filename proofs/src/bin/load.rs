//! `make load`: runs many sellers and watchers on one instance. Exits with status 0 only if nothing was lost or refused
//! and memory stayed flat.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use vintedbot_proofs::load::{self, Options};

/// Loads an instance and reports the durations of calls and the first limit that is reached.
#[derive(Parser)]
struct Arguments {
    #[arg(long, env = "SELLERS", default_value_t = 20)]
    sellers: usize,
    #[arg(long, env = "WATCHERS", default_value_t = 1_000)]
    watchers: usize,
    #[arg(long, env = "DURATION_S", default_value_t = 180)]
    seconds: u64,
    /// The seed of the sellers' actions.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// The URL of an empty PostgreSQL database; SQLite by default.
    #[arg(long, env = "DATABASE_URL", default_value = "")]
    database_url: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    ensure!(arguments.sellers > 0, "SELLERS must be at least 1");
    if cfg!(debug_assertions) {
        println!("load: this is a debug build, its figures mean nothing");
    }
    let options = Options {
        sellers: arguments.sellers,
        watchers: arguments.watchers,
        time: Duration::from_secs(arguments.seconds),
        seed: arguments.seed,
        database_url: arguments.database_url,
    };
    let folder = tempfile::Builder::new().prefix("vintedbot-load-").tempdir()?;
    let report = load::run(&options, folder.path()).await?;
    println!("{report}");
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
