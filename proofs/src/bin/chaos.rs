//! `make chaos`: makes each dependency of a cluster fail in turn, under load. Exits with status 0 only if each fault
//! had an effect, the cluster recovered, nothing was done twice, and nothing was lost.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use vintedbot_proofs::chaos::{self, Fault, Options};
use vintedbot_proofs::failpoints;

/// Applies faults to a cluster and counts the outcomes of the sellers' actions.
#[derive(Parser)]
struct Arguments {
    /// The number of faults. By default all are applied.
    #[arg(long, env = "CELLS")]
    cells: Option<usize>,
    /// The name of a single fault.
    #[arg(long, env = "CELL", default_value = "")]
    cell: String,
    /// Disables a protecting rule: `intent`, `reconcile` or `intent_checks`. The proof must then fail.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    failpoints::check(&arguments.failpoints, &["intent", "reconcile", "intent_checks"])?;
    let mut faults = Fault::ALL.to_vec();
    if !arguments.cell.is_empty() {
        faults.retain(|fault| fault.name() == arguments.cell);
        if faults.is_empty() {
            let names: Vec<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
            bail!(
                "there is no fault {}; the faults are {}",
                arguments.cell,
                names.join(", ")
            );
        }
    }
    faults.truncate(arguments.cells.unwrap_or(usize::MAX));
    let options = Options {
        faults,
        failpoints: arguments.failpoints,
    };
    let report = chaos::run(&options).await?;
    println!("{report}");
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
