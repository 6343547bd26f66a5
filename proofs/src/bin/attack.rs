//! `make attack`: attacks an instance that has 1,024 file descriptors, with an honest client beside. Ends with status 0 only
//! when no attack succeeded and the bars hold.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use vintedbot_proofs::attack::{self, Options};
use vintedbot_proofs::failpoints;
use vintedbot_proofs::postgres::Postgres;

/// Plays known attacks, and counts what succeeded.
#[derive(Parser)]
struct Arguments {
    /// Only the attacks of a sample, whose times are not judged.
    #[arg(long, env = "SAMPLE")]
    sample: bool,
    /// The beginning of the names of the attacks to play, such as `B` or `A1`. Empty: all.
    #[arg(long, env = "ATTACKS", default_value = "")]
    attacks: String,
    /// What the instance is on.
    #[arg(long, env = "ENGINE", value_enum, default_value_t = Engine::Sqlite)]
    engine: Engine,
    /// Disables a protecting rule. The attacks that it holds must succeed then.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    failpoints::check(&arguments.failpoints, &attack::rules())?;
    ensure!(
        !arguments.sample || arguments.failpoints.is_empty(),
        "a failpoint is for whole runs"
    );
    let postgres = match arguments.engine {
        Engine::Sqlite => None,
        Engine::Postgres => Some(Postgres::start().await?),
    };
    let options = Options {
        sample: arguments.sample,
        only: arguments.attacks,
        database_url: postgres.as_ref().map(Postgres::url).unwrap_or_default(),
        failpoints: arguments.failpoints,
    };
    let folder = tempfile::Builder::new().prefix("vintedbot-attack-").tempdir()?;
    let report = attack::run(&options, folder.path()).await?;
    if let Some(postgres) = postgres {
        postgres.stop().await?;
    }
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
