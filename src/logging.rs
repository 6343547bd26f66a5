//! Logging: to standard error, as text or as JSON.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result};
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};
use vintedbot_domain::failpoints;

use crate::config::{Config, LogFormat};
use crate::traces::{self, Traces};

/// The most verbose level of libraries, regardless of `LOG`. At lower levels, HTTP, WebSocket and database libraries
/// log cookies, tokens and signed URLs. The limit also applies to libraries that are added later.
const LIBRARIES: LevelFilter = LevelFilter::INFO;
/// Libraries with a stricter limit.
const LIMITS: [(&str, LevelFilter); 8] = [
    // Its errors contain whole requests.
    ("thirtyfour", LevelFilter::WARN),
    ("sea_orm_migration", LevelFilter::WARN),
    // Its workers end whenever Redis is lost; `worker/relay` logs that once.
    ("apalis_core", LevelFilter::OFF),
    ("sqlx", LevelFilter::WARN),
    // The exporter of traces must not trace itself.
    ("h2", LevelFilter::WARN),
    ("hyper", LevelFilter::WARN),
    ("tower", LevelFilter::WARN),
    ("opentelemetry", LevelFilter::OFF),
];

/// Starts logging and, if configured, tracing. Tracing ends when the returned value is dropped.
pub fn start(config: &Config) -> Result<Option<Traces>> {
    let (wanted, allowed) = filters(&config.log.filter)?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match config.log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let (tracer, traces) = traces::start(config)?.unzip();
    let spans = tracer.map(|tracer| tracing_opentelemetry::layer().with_tracer(tracer));
    tracing_subscriber::registry()
        .with(wanted)
        .with(allowed)
        .with(lines)
        .with(spans)
        .init();
    Ok(traces)
}

/// Returns the filter of `LOG`, and the filter of the library limits.
fn filters(log: &str) -> Result<(EnvFilter, FilterFn)> {
    let wanted = EnvFilter::try_new(log).with_context(|| format!("log = {log:?}"))?;
    Ok((wanted, filter_fn(is_allowed)))
}

/// Returns whether an event may be logged: our crates at every level, libraries up to their limit.
fn is_allowed(metadata: &Metadata<'_>) -> bool {
    let name = metadata.target().split("::").next().unwrap_or_default();
    let is_ours = name == "vintedbot" || name.starts_with("vintedbot_");
    // A limit also applies to the library's other crates, such as `hyper_util`.
    let belongs = |library: &str| {
        name.strip_prefix(library)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-']))
    };
    let limit = LIMITS.iter().find(|(library, _)| belongs(library));
    is_ours
        || failpoints::disables("logs")
        || *metadata.level() <= limit.map_or(LIBRARIES, |(_, limit)| *limit)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// Records logged events as target and level.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Seen {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            let metadata = event.metadata();
            let line = format!("{} {}", metadata.target(), metadata.level());
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    fn seen(log: &str) -> Vec<String> {
        let (wanted, allowed) = filters(log).expect("a filter");
        let seen = Seen::default();
        let subscriber = tracing_subscriber::registry()
            .with(wanted)
            .with(allowed)
            .with(seen.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "tungstenite::protocol", "Cookie: secret");
            tracing::debug!(target: "tungstenite::handshake", "Cookie: secret");
            tracing::debug!(target: "reqwest::connect", "https://receiver.example/secret");
            tracing::debug!(target: "thirtyfour::session::http", "secret");
            tracing::info!(target: "hyper_util::client", "secret");
            tracing::trace!(target: "added_later", "secret");
            tracing::trace!(target: "vintedbotnet", "secret");
            tracing::info!(target: "added_later", "harmless");
            tracing::trace!(target: "vintedbot", "ours");
            tracing::trace!(target: "vintedbot_worker::relay", "ours");
        });
        let lines = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clone()
    }

    #[test]
    fn library_logs_below_info_are_never_written() {
        let ours = [
            "added_later INFO",
            "vintedbot TRACE",
            "vintedbot_worker::relay TRACE",
        ];
        assert_eq!(seen("trace"), ours);
        assert_eq!(
            seen("trace,tungstenite=trace,reqwest=debug,thirtyfour=trace,hyper_util=debug"),
            ours
        );
    }

    #[test]
    fn log_setting_selects_levels_of_our_crates() {
        assert_eq!(seen("warn"), Vec::<String>::new());
        assert_eq!(
            seen("warn,vintedbot_worker=trace"),
            ["vintedbot_worker::relay TRACE"]
        );
    }
}
