//! `vintedbot search`: maintains the search index. Works while the instance runs.

use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use tokio::time::Instant;
use vintedbot_domain::search::rebuild;

use crate::config::Config;
use crate::instance;

/// The action on the search index.
#[derive(Subcommand)]
pub enum Command {
    /// Rebuilds the index from the stored data and prints the progress. Searches still work, and report that
    /// results may be incomplete.
    Rebuild,
}

/// The interval between two progress lines.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Runs the command on the configured database.
pub async fn run(command: Command) -> Result<()> {
    let Command::Rebuild = command;
    let config = Config::load()?;
    let store = instance::beside(&config).await?;
    let began = Instant::now();
    let mut last_report = began;
    rebuild::begin(&store).await?;
    // A running instance also runs steps of the rebuild; both continue from the stored progress.
    while let Some(progress) = rebuild::step(&store).await? {
        if progress.is_complete || last_report.elapsed() >= PROGRESS_EVERY {
            last_report = Instant::now();
            println!("search index: {} of {}", progress.done, progress.total);
        }
    }
    println!(
        "search index: complete after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
