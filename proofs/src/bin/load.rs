//! `make load`: many sellers and watchers at one instance. Ends with status 0 only when nothing was lost or refused and memory
//! stayed flat.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use vintedbot_proofs::load::{self, Options};

/// Loads an instance, and says what calls took and what gives first.
#[derive(Parser)]
struct Arguments {
    #[arg(long, env = "SELLERS", default_value_t = 20)]
    sellers: usize,
    #[arg(long, env = "WATCHERS", default_value_t = 1_000)]
    watchers: usize,
    #[arg(long, env = "DURATION_S", default_value_t = 180)]
    seconds: u64,
    /// Of what the sellers do.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// An empty PostgreSQL database to do it on; SQLite otherwise.
    #[arg(long, env = "DATABASE_URL", default_value = "")]
    database_url: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    ensure!(arguments.sellers > 0, "there has to be a seller");
    if cfg!(debug_assertions) {
        println!("load: this is a debug build, whose figures mean nothing");
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
