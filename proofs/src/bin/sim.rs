//! `make sim`: runs the simulation for SEEDS seeds, starting with SEED.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use vintedbot_proofs::{failpoints, sim};

/// Runs the simulation.
#[derive(Parser)]
struct Arguments {
    /// The number of seeds.
    #[arg(long, env = "SEEDS", default_value_t = 100_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, env = "SEED", default_value_t = 0)]
    seed: u64,
    /// The database of the runs.
    #[arg(long, env = "ENGINE", value_enum, default_value_t = Engine::Sqlite)]
    engine: Engine,
    /// Disables a protecting rule: `lease`, `intent`, `reconcile` or `intent_checks`. The simulation must then fail.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    /// SQLite in memory: every seed gives the same run each time, a thousand seeds in seconds.
    Sqlite,
    /// A separate PostgreSQL server: transactions run concurrently.
    Postgres,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = failpoints::check(
        &arguments.failpoints,
        &["lease", "intent", "reconcile", "intent_checks"],
    ) {
        eprintln!("sim: {error:#}");
        return ExitCode::from(2);
    }
    let (seed, seeds) = (arguments.seed, arguments.seeds);
    let (name, ended) = match arguments.engine {
        Engine::Sqlite => ("sim", sim::run(seed, seeds)),
        Engine::Postgres => ("sim on PostgreSQL", sim::run_on_postgres(seed, seeds)),
    };
    match ended {
        Ok(totals) => {
            println!(
                "{name}: {} seeds, {} twice, {} lost, {} undecided",
                totals.seeds, totals.twice, totals.lost, totals.undecided
            );
            if totals.twice + totals.lost + totals.undecided == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::from(2)
        }
    }
}
