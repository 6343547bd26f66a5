//! Metrics, enabled by METRICS_LISTEN. If it is not set, nothing is counted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vintedbot_domain::Context;
use vintedbot_server::metrics as page;

use crate::config::Config;

/// Histogram buckets for calls, in seconds: from a read in memory to a long wait.
const CALL_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
/// Histogram buckets for jobs, in seconds: from a call to the site to a slowly filled form.
const JOB_BUCKETS: [f64; 10] = [0.01, 0.05, 0.25, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0];
/// The interval at which recorded values are folded into buckets, so that they use no memory while nothing scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Starts counting, and serves the metrics until the drain. Returns the address.
pub async fn start(
    config: &Config,
    context: &Context,
    drain: &CancellationToken,
) -> Result<Option<SocketAddr>> {
    if config.metrics.listen.is_empty() {
        return Ok(None);
    }
    let named = || format!("METRICS_LISTEN = {}", config.metrics.listen);
    let listener = TcpListener::bind(&config.metrics.listen)
        .await
        .with_context(named)?;
    let address = listener.local_addr()?;
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Prefix("vintedbot_rpc".to_owned()), &CALL_BUCKETS)?
        .set_buckets_for_metric(Matcher::Prefix("vintedbot_job_".to_owned()), &JOB_BUCKETS)?
        .install_recorder()?;
    page::describe();
    let (folded, stop) = (handle.clone(), drain.clone());
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP_EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            folded.run_upkeep();
        }
    });
    let render: page::Render = Arc::new(move || handle.render());
    let served = page::serve(listener, context.clone(), render, drain.clone());
    tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::warn!(%error, "the metrics server ended");
        }
    });
    println!("metrics: http://{address}/metrics");
    Ok(Some(address))
}
