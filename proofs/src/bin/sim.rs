//! `make sim`: SEEDS runs of the simulation, from seed SEED on.

use std::process::ExitCode;

use clap::Parser;

/// Runs the simulation.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, env = "SEEDS", default_value_t = 100_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, env = "SEED", default_value_t = 0)]
    seed: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match vintedbot_proofs::sim::run(arguments.seed, arguments.seeds) {
        Ok(totals) => {
            println!(
                "sim: {} seeds, {} twice, {} lost, {} undecided",
                totals.seeds, totals.twice, totals.lost, totals.undecided
            );
            if totals.twice + totals.lost + totals.undecided == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("sim: {error:#}");
            ExitCode::from(2)
        }
    }
}
