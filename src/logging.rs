//! Where log lines go: standard error, as text or as JSON.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Libraries that would write requests, with what is in them, or chatter.
const CAPS: [&str; 4] = [
    "thirtyfour=warn",
    "sea_orm_migration=warn",
    // Its workers end whenever Redis is lost; `worker/relay` says that once.
    "apalis_core=off",
    "sqlx=warn",
];

/// Starts logging as the settings say.
pub fn start(config: &Config) -> Result<()> {
    let mut filter = EnvFilter::try_new(&config.log).with_context(|| format!("log = {:?}", config.log))?;
    for cap in CAPS {
        filter = filter.add_directive(cap.parse()?);
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}
