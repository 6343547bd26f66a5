//! `vintedbot search`: what finds things. Works beside a running instance.

use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use tokio::time::Instant;
use vintedbot_domain::search::rebuild;

use crate::config::Config;
use crate::instance;

/// What to do with the search index.
#[derive(Subcommand)]
pub enum Command {
    /// Makes the index anew from what is stored, with progress. Searches answer meanwhile, and say that they may miss something.
    Rebuild,
}

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// Runs the command on the database that the settings name.
pub async fn run(command: Command) -> Result<()> {
    let Command::Rebuild = command;
    let config = Config::load()?;
    let store = instance::beside(&config).await?;
    let began = Instant::now();
    let mut told = began;
    rebuild::begin(&store).await?;
    // A running instance takes part; whoever steps, the steps are the same.
    while let Some(progress) = rebuild::step(&store).await? {
        if progress.is_complete || told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            println!("search index: {} of {}", progress.done, progress.total);
        }
    }
    println!(
        "search index: complete after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
