//! Where log lines go: standard error, as text or as JSON.

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

/// The most that a library logs, whatever `LOG` says. Below, HTTP, WebSocket and database libraries write cookies, tokens
/// and signed addresses. A library that is added later needs nothing here.
const LIBRARIES: LevelFilter = LevelFilter::INFO;
/// Libraries that log less.
const CAPS: [(&str, LevelFilter); 8] = [
    // Its errors name requests with what is in them.
    ("thirtyfour", LevelFilter::WARN),
    ("sea_orm_migration", LevelFilter::WARN),
    // Its workers end whenever Redis is lost; `worker/relay` says that once.
    ("apalis_core", LevelFilter::OFF),
    ("sqlx", LevelFilter::WARN),
    // What sends traces is not traced.
    ("h2", LevelFilter::WARN),
    ("hyper", LevelFilter::WARN),
    ("tower", LevelFilter::WARN),
    ("opentelemetry", LevelFilter::OFF),
];

/// Starts logging, and traces where they are asked for, as the settings say. Traces end with what is returned.
pub fn start(config: &Config) -> Result<Option<Traces>> {
    let (wanted, allowed) = filters(&config.log)?;
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
        .with(wanted)
        .with(allowed)
        .with(lines)
        .with(spans)
        .init();
    Ok(traces)
}

/// What `LOG` asks for, and what may be logged at all.
fn filters(log: &str) -> Result<(EnvFilter, FilterFn)> {
    let wanted = EnvFilter::try_new(log).with_context(|| format!("log = {log:?}"))?;
    Ok((wanted, filter_fn(is_allowed)))
}

/// Our own crates may log everything, libraries up to their cap.
fn is_allowed(metadata: &Metadata<'_>) -> bool {
    let name = metadata.target().split("::").next().unwrap_or_default();
    let is_ours = name == "vintedbot" || name.starts_with("vintedbot_");
    // A cap also holds for the library's other crates, such as `hyper_util`.
    let belongs = |library: &str| {
        name.strip_prefix(library)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-']))
    };
    let cap = CAPS.iter().find(|(library, _)| belongs(library));
    is_ours || failpoints::disables("logs") || *metadata.level() <= cap.map_or(LIBRARIES, |(_, cap)| *cap)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// Counts what is logged, by target.
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
    fn library_below_info_is_never_logged_whatever_is_asked() {
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
    fn log_setting_still_decides_what_is_asked_for() {
        assert_eq!(seen("warn"), Vec::<String>::new());
        assert_eq!(
            seen("warn,vintedbot_worker=trace"),
            ["vintedbot_worker::relay TRACE"]
        );
    }
}
