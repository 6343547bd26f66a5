//! `vintedbot schedules`: shows and changes what runs by itself. Works beside a running instance.

use std::sync::Arc;

use anyhow::Result;
use clap::Subcommand;
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::{jobs, store};

use crate::config::Config;

/// What to do with schedules.
#[derive(Subcommand)]
pub enum Command {
    /// Prints every schedule with its interval, last and next run, and outcome.
    List,
    /// Changes one.
    Set {
        /// The schedule's name, as the list shows it.
        id: String,
        /// Seconds between two runs.
        #[arg(long)]
        every_seconds: Option<i64>,
        /// Whether it runs at all.
        #[arg(long)]
        enabled: Option<bool>,
    },
}

/// Runs the command on the database that the settings name.
pub async fn run(command: Command) -> Result<()> {
    let config = Config::load()?;
    let store = store::connect(&config.database_url(), Arc::new(SystemClock), Arc::new(SystemIds)).await?;
    if let Command::Set {
        id,
        every_seconds,
        enabled,
    } = command
    {
        jobs::update_schedule(&store, &id, every_seconds.map(|seconds| seconds * 1000), enabled).await?;
    }
    let schedules = jobs::list_schedules(&store).await?;
    let width = schedules.iter().map(|row| row.id.len()).max().unwrap_or_default();
    println!(
        "{:<width$} {:>9} {:<8} {:>15} {:>15} {:<8} message",
        "schedule", "every", "enabled", "last run", "next run", "outcome"
    );
    for row in schedules {
        println!(
            "{:<width$} {:>8}s {:<8} {:>15} {:>15} {:<8} {}",
            row.id,
            row.interval_ms / 1000,
            row.enabled,
            row.last_run
                .map_or_else(|| "never".to_owned(), |time| time.to_string()),
            row.next_run,
            row.last_outcome.unwrap_or_default(),
            row.last_message.unwrap_or_default(),
        );
    }
    Ok(())
}
