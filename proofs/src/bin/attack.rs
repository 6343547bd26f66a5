//! `make attack`: attacks an instance that has 1,024 file descriptors while an honest client uses it. Exits with status
//! 0 only if no attack succeeded and the bars hold.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use vintedbot_proofs::attack::{self, Options};
use vintedbot_proofs::failpoints;
use vintedbot_proofs::postgres::Postgres;

/// Runs known attacks and counts the successful attacks.
#[derive(Parser)]
struct Arguments {
    /// Runs only a sample of the attacks. Their times are not judged.
    #[arg(long, env = "SAMPLE")]
    sample: bool,
    /// The beginning of the names of the attacks to run, such as `B` or `A1`. Empty: all.
    #[arg(long, env = "ATTACKS", default_value = "")]
    attacks: String,
    /// The instance's database.
    #[arg(long, env = "ENGINE", value_enum, default_value_t = Engine::Sqlite)]
    engine: Engine,
    /// Disables a protecting rule. The attacks that it prevents must then succeed.
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
        "a failpoint requires a full run, without SAMPLE"
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
        eprintln!("data and logs of the instances: {}", folder.keep().display());
    }
    println!("{report}");
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
