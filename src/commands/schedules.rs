//! `vintedbot schedules`: shows and changes the schedules. Works while the instance runs.

use anyhow::Result;
use clap::Subcommand;
use vintedbot_domain::clock::rfc3339;
use vintedbot_domain::jobs::{self, Cadence};

use crate::config::Config;
use crate::instance;

/// The action on schedules.
#[derive(Subcommand)]
pub enum Command {
    /// Prints every schedule with its cadence, last and next run, and outcome.
    List,
    /// Changes a schedule.
    Set {
        /// The schedule's name, as the list shows it.
        id: String,
        /// Seconds between two runs.
        #[arg(long, conflicts_with = "daily_at")]
        every_seconds: Option<i64>,
        /// Runs once a day at this time, such as 02:00, in the time zone of the setting `timezone`.
        #[arg(long)]
        daily_at: Option<String>,
        /// Whether the schedule is enabled.
        #[arg(long)]
        enabled: Option<bool>,
    },
}

/// Runs the command on the configured database.
pub async fn run(command: Command) -> Result<()> {
    let config = Config::load()?;
    let settings = config.settings();
    let store = instance::beside(&config).await?;
    if let Command::Set {
        id,
        every_seconds,
        daily_at,
        enabled,
    } = command
    {
        let cadence = match (daily_at, every_seconds) {
            (Some(time), _) => Some(Cadence::daily(&time)?),
            (None, seconds) => seconds.map(|seconds| Cadence::Every(seconds.saturating_mul(1000))),
        };
        jobs::update_schedule(&store, &id, cadence, enabled, &settings.zone()).await?;
    }
    let schedules = jobs::list_schedules(&store).await?;
    let width = schedules.iter().map(|row| row.id.len()).max().unwrap_or_default();
    println!(
        "{:<width$} {:<14} {:<8} {:<24} {:<24} {:<8} message",
        "schedule", "when", "enabled", "last run", "next run", "outcome"
    );
    for row in schedules {
        println!(
            "{:<width$} {:<14} {:<8} {:<24} {:<24} {:<8} {}",
            row.id,
            Cadence::of(&row).to_string(),
            row.enabled,
            row.last_run.map_or_else(|| "never".to_owned(), rfc3339),
            rfc3339(row.next_run),
            row.last_outcome.unwrap_or_default(),
            row.last_message.unwrap_or_default(),
        );
    }
    Ok(())
}
