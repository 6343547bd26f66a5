//! Where log lines go: standard error, as text or as JSON.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{Config, LogFormat};
use crate::traces::{self, Traces};

/// Libraries that would write requests, with what is in them, or chatter.
const CAPS: [&str; 8] = [
    "thirtyfour=warn",
    "sea_orm_migration=warn",
    // Its workers end whenever Redis is lost; `worker/relay` says that once.
    "apalis_core=off",
    "sqlx=warn",
    // What sends traces is not traced.
    "h2=warn",
    "hyper=warn",
    "tower=warn",
    "opentelemetry=off",
];

/// Starts logging, and traces where they are asked for, as the settings say. Traces end with what is returned.
pub fn start(config: &Config) -> Result<Option<Traces>> {
    let mut filter = EnvFilter::try_new(&config.log).with_context(|| format!("log = {:?}", config.log))?;
    for cap in CAPS {
        filter = filter.add_directive(cap.parse()?);
    }
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match config.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let (tracer, traces) = traces::start(config)?.unzip();
    let spans = tracer.map(|tracer| tracing_opentelemetry::layer().with_tracer(tracer));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(spans)
        .init();
    Ok(traces)
}
