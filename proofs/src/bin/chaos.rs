//! `make chaos`: everything that an instance of several processes stands on fails, one thing after the other, under load.
//! Ends with status 0 only when each fault was felt and got over, nothing was done twice, and nothing lost.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Parser;
use vintedbot_proofs::build;
use vintedbot_proofs::chaos::{self, Fault, Options};

/// Lets faults befall an instance of several processes, and counts what became of what sellers wanted.
#[derive(Parser)]
struct Arguments {
    /// How many of the faults. All of them if not given.
    #[arg(long, env = "CELLS")]
    cells: Option<usize>,
    /// One fault, by its name.
    #[arg(long, env = "CELL", default_value = "")]
    cell: String,
    /// A protecting rule to switch off: `intent`, `reconcile` or `gate`. The proof has to fail then.
    #[arg(long, env = "SABOTAGE", default_value = "")]
    sabotage: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let rules = ["", "intent", "reconcile", "gate"];
    ensure!(
        rules.contains(&arguments.sabotage.as_str()),
        "there is no rule {} to switch off",
        arguments.sabotage
    );
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
    build::for_harm()?;
    let options = Options {
        faults,
        sabotage: arguments.sabotage,
    };
    let report = chaos::run(&options).await?;
    println!("{report}");
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
