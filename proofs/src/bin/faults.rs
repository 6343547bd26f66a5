//! `make faults`: plays inputs that people really have to an instance. Exits with status 0 only if each has its right
//! outcome.

use std::process::ExitCode;

use anyhow::Result;
use vintedbot_proofs::faults;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("vintedbot-faults-").tempdir()?;
    let report = faults::run(folder.path()).await?;
    let is_good = report.is_good();
    if !is_good {
        eprintln!("data and log of the instance: {}", folder.keep().display());
    }
    println!("{report}");
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
