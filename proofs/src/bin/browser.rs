//! `make browser`: runs all pairs of form generations, languages, challenges and steps in a real Chromium. Exits with
//! status 0 only if each case ends as expected and nothing was published past a challenge.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use vintedbot_connector::BrowserConfig;
use vintedbot_proofs::browser::{self, Options};
use vintedbot_proofs::failpoints;

/// Drives a real browser through the variants of the practice site.
#[derive(Parser)]
struct Arguments {
    /// The largest number of cases. By default all run, which takes about 40 minutes at most.
    #[arg(long, env = "CASES")]
    cases: Option<usize>,
    /// Runs only cases whose line contains this text, such as `unknown_block at Call("attributes")` or `2023 de`.
    #[arg(long, env = "CASE", default_value = "")]
    case: String,
    /// The seed of the order of the cases.
    #[arg(long, env = "SEED", default_value_t = 1)]
    seed: u64,
    /// Disables a protecting rule: `detector`. The proof must then fail.
    #[arg(long, env = "FAILPOINTS", default_value = "")]
    failpoints: String,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    failpoints::check(&arguments.failpoints, &["detector"])?;
    let from = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty());
    let (binary, driver) = (from("BROWSER_BINARY"), from("CHROMEDRIVER"));
    let (binary, driver) = (
        binary.as_deref().map(AsRef::as_ref),
        driver.as_deref().map(AsRef::as_ref),
    );
    let browser =
        BrowserConfig::find(binary, driver, true)?.context("Chromium or its driver was not found")?;
    let browser = BrowserConfig {
        // Cargo builds all programs into one folder.
        host: std::env::current_exe()?.with_file_name("vintedbot"),
        ..browser
    };
    let options = Options {
        cases: arguments.cases,
        named: arguments.case,
        seed: arguments.seed,
        is_blind: arguments.failpoints == "detector",
    };
    let report = browser::run(&options, browser).await?;
    println!("{report}");
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
