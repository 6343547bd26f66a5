//! `make sim`: SEEDS runs of the simulation, from seed SEED on.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use vintedbot_proofs::{failpoints, sim};

/// Runs the simulation.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, env = "SEEDS", default_value_t = 100_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, env = "SEED", default_value_t = 0)]
    seed: u64,
    /// What the runs are on.
    #[arg(long, env = "ENGINE", value_enum, default_value_t = Engine::Sqlite)]
    engine: Engine,
    /// Disables a protecting rule: `lease`, `intent`, `reconcile` or `gate`. The simulation must fail then.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    /// In memory: every seed goes the same way each time, a thousand of them in seconds.
    Sqlite,
    /// A server of its own: transactions that run side by side.
    Postgres,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = failpoints::check(&arguments.failpoints, &["lease", "intent", "reconcile", "gate"]) {
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
