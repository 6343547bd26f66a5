//! `/metrics` for Prometheus, on a separate listener.
//!
//! Events in this process are counted where they occur, through the `metrics` facade. Values from the database are read
//! at each scrape ([`figures`]). Labels are names known at compile time, never an id, an address or a workspace, so the
//! number of series does not grow with the stored data. A new metric needs a line in [`describe`] and the code that
//! counts it.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vintedbot_domain::Context;
use vintedbot_domain::figures::{self, Figures};
use vintedbot_proto::FILE_DESCRIPTOR_SET;

/// The timeout of the database query, so that a stalled database does not block the other metrics.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Renders all metrics as text.
pub type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// Serves `/metrics` until `shutdown` is cancelled.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    context: Context,
    render: Render,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let app = Router::new().route("/metrics", get(scrape)).with_state(Page {
        context,
        render,
        last: Arc::default(),
    });
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

/// Registers a description of each metric. Called once, if metrics are enabled.
pub fn describe() {
    describe_counter!("vintedbot_rpcs_total", "gRPC calls, by method and gRPC code");
    describe_histogram!(
        "vintedbot_rpc_duration_seconds",
        Unit::Seconds,
        "Time from a call to its first response, by method"
    );
    describe_counter!(
        "vintedbot_http_requests_total",
        "Plain HTTP requests, by route and status"
    );
    describe_gauge!("vintedbot_watchers", "Open Watch streams of this process");
    describe_counter!(
        "vintedbot_connections_evicted_total",
        "Connections closed to make room for others"
    );
    describe_counter!(
        "vintedbot_connections_refused_total",
        "Connections refused because every open one had an authenticated call"
    );
    describe_histogram!(
        "vintedbot_job_lateness_seconds",
        Unit::Seconds,
        "Time from a job's due time to its claim, by kind"
    );
    describe_histogram!(
        "vintedbot_job_duration_seconds",
        Unit::Seconds,
        "Duration of job attempts in this process, by kind"
    );
    describe_counter!(
        "vintedbot_webhook_attempts_total",
        "Webhook requests of this process, by outcome"
    );
    describe_gauge!("vintedbot_jobs", "Jobs in the database, by kind and state");
    describe_gauge!(
        "vintedbot_jobs_overdue_seconds",
        Unit::Seconds,
        "Age of the oldest due job"
    );
    describe_gauge!(
        "vintedbot_effects",
        "Writes on the marketplace, by kind and outcome"
    );
    describe_gauge!(
        "vintedbot_browsers_open",
        "Listing form sessions that are not known to have ended"
    );
    describe_gauge!(
        "vintedbot_workers_open",
        "Open workers with a heartbeat in the last 30 seconds"
    );
    describe_gauge!("vintedbot_inboxes", "Synchronized inboxes, late or fresh");
    describe_gauge!(
        "vintedbot_inbox_age_seconds",
        Unit::Seconds,
        "Time since the stalest inbox was read"
    );
    describe_gauge!(
        "vintedbot_webhook_deliveries_pending",
        "Webhook deliveries that are pending"
    );
    describe_gauge!(
        "vintedbot_file_removals_pending",
        "Files marked for deletion in the media store"
    );
    describe_gauge!(
        "vintedbot_database_connections",
        "Database connections of this process, by pool and state"
    );
    describe_gauge!(
        "vintedbot_database_up",
        "Whether the database answered this scrape"
    );
    // Initialized with 0, because a series that appears with its first value has no rate of change.
    gauge!("vintedbot_watchers").increment(0.0);
    for outcome in ["taken", "refused", "no_answer"] {
        counter!("vintedbot_webhook_attempts_total", "outcome" => outcome).increment(0);
    }
}

#[derive(Clone)]
struct Page {
    context: Context,
    render: Render,
    /// The values of the last successful query. If a query fails, their series are set to NaN.
    last: Arc<Mutex<Figures>>,
}

async fn scrape(State(page): State<Page>) -> impl IntoResponse {
    let Page {
        context,
        render,
        last,
    } = page;
    let read = tokio::time::timeout(DATABASE_TIMEOUT, figures::read(&context.store)).await;
    {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(Ok(figures)) => {
                show(&figures, |figure| figure);
                gauge!("vintedbot_database_up").set(1.0);
                *last = figures;
            }
            _ => {
                // The earlier values may be outdated.
                show(&last, |_| f64::NAN);
                gauge!("vintedbot_database_up").set(0.0);
            }
        }
    }
    for pool in context.store.pools() {
        let idle = f64::from(pool.idle);
        gauge!("vintedbot_database_connections", "pool" => pool.name, "state" => "idle").set(idle);
        gauge!("vintedbot_database_connections", "pool" => pool.name, "state" => "busy")
            .set(f64::from(pool.open) - idle);
    }
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        render(),
    )
}

fn show(figures: &Figures, seen: impl Fn(f64) -> f64) {
    let seconds = |milliseconds: i64| milliseconds as f64 / 1000.0;
    for (kind, state, count) in &figures.jobs {
        gauge!("vintedbot_jobs", "kind" => kind.to_lowercase(), "state" => state.clone())
            .set(seen(*count as f64));
    }
    for (kind, outcome, count) in &figures.effects {
        gauge!("vintedbot_effects", "kind" => kind.clone(), "outcome" => outcome.clone())
            .set(seen(*count as f64));
    }
    gauge!("vintedbot_jobs_overdue_seconds").set(seen(seconds(figures.overdue_ms)));
    gauge!("vintedbot_browsers_open").set(seen(figures.listing_form_sessions as f64));
    gauge!("vintedbot_workers_open").set(seen(figures.workers as f64));
    gauge!("vintedbot_inboxes", "state" => "late").set(seen(figures.late_inboxes as f64));
    gauge!("vintedbot_inboxes", "state" => "fresh")
        .set(seen((figures.inboxes - figures.late_inboxes) as f64));
    gauge!("vintedbot_inbox_age_seconds").set(seen(seconds(figures.stalest_inbox_ms)));
    gauge!("vintedbot_webhook_deliveries_pending").set(seen(figures.pending_deliveries as f64));
    gauge!("vintedbot_file_removals_pending").set(seen(figures.file_removals as f64));
}

/// Returns the path of a known method, or `other` for every other path, so that unknown paths add no series.
pub(crate) fn method(path: &str) -> &'static str {
    METHODS.get(path).map_or("other", String::as_str)
}

static METHODS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let sets = [FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET];
    let files = sets
        .into_iter()
        .filter_map(|set| prost_types::FileDescriptorSet::decode(set).ok())
        .flat_map(|set| set.file);
    files
        .flat_map(|file| {
            let package = file.package.clone().unwrap_or_default();
            file.service.into_iter().flat_map(move |service| {
                let service_name = format!("{package}.{}", service.name.unwrap_or_default());
                let path = move |method: prost_types::MethodDescriptorProto| {
                    format!("/{service_name}/{}", method.name.unwrap_or_default())
                };
                service.method.into_iter().map(path)
            })
        })
        .collect()
});

#[cfg(test)]
mod tests {
    use super::method;

    #[test]
    fn unknown_method_adds_no_metric_label() {
        let known = "/vintedbot.v1.AuthService/GetMe";
        assert_eq!(method(known), known);
        assert_eq!(
            method("/grpc.health.v1.Health/Check"),
            "/grpc.health.v1.Health/Check"
        );
        for made_up in [
            "/vintedbot.v1.AuthService/Getme",
            "/a/b",
            "",
            "/vintedbot.v1.AuthService/GetMe/x",
        ] {
            assert_eq!(method(made_up), "other");
        }
    }
}
