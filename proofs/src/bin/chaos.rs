//! `make chaos`: everything that an instance of several processes stands on fails, one thing after the other, under load.
//! Ends with status 0 only when each fault was felt and got over, nothing was done twice, and nothing lost.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use vintedbot_proofs::chaos::{self, Fault, Options};
use vintedbot_proofs::failpoints;

/// Lets faults befall an instance of several processes, and counts what became of what sellers wanted.
#[derive(Parser)]
struct Arguments {
    /// How many of the faults. All of them if not given.
    #[arg(long, env = "CELLS")]
    cells: Option<usize>,
    /// One fault, by its name.
    #[arg(long, env = "CELL", default_value = "")]
    cell: String,
    /// Disables a protecting rule: `intent`, `reconcile` or `gate`. The proof must fail then.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    failpoints::check(&arguments.failpoints, &["intent", "reconcile", "gate"])?;
    let mut faults = Fault::ALL.to_vec();
    if !arguments.cell.is_empty() {
        faults.retain(|fault| fault.name() == arguments.cell);
        if faults.is_empty() {
            let names: Vec<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
            bail!(
                "there is no fault {}; there are {}",
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
