//! Traces, enabled by OTLP_ENDPOINT. A separate thread sends spans to a collector from a bounded queue. Nothing waits
//! for the collector. If it is unavailable, spans are dropped and one line is logged.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanData,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use vintedbot_domain::trace::{self, Hooks};

use crate::config::Config;

/// The maximum spans in the queue; further spans are dropped.
const QUEUE: usize = 4096;
const EXPORT_EVERY: Duration = Duration::from_secs(1);
const EXPORT_TIMEOUT: Duration = Duration::from_secs(2);
const TRACEPARENT: &str = "traceparent";

/// The running trace export. When dropped, it sends the queued spans, as far as the collector accepts them.
pub struct Traces(SdkTracerProvider);

impl Drop for Traces {
    fn drop(&mut self) {
        // Spans that cannot be sent now are lost; the exporter has logged that.
        let _ = self.0.shutdown_with_timeout(EXPORT_TIMEOUT);
    }
}

/// Starts the trace export, if configured.
pub fn start(config: &Config) -> Result<Option<(SdkTracer, Traces)>> {
    if config.otlp.endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&config.otlp.endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .with_context(|| format!("OTLP_ENDPOINT = {}", config.otlp.endpoint))?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_scheduled_delay(EXPORT_EVERY)
        .build();
    let processor = BatchSpanProcessor::builder(ReportingExporter {
        exporter,
        is_away: Arc::new(AtomicBool::new(false)),
    })
    .with_batch_config(batches)
    .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_resource(Resource::builder_empty().with_service_name("vintedbot").build())
        .build();
    trace::install(Hooks { current, adopt });
    Ok(Some((provider.tracer("vintedbot"), Traces(provider))))
}

fn current() -> Option<String> {
    let context = Span::current().context();
    if !context.span().span_context().is_valid() {
        return None;
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut carrier);
    carrier.remove(TRACEPARENT)
}

fn adopt(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&carrier);
    if parent.span().span_context().is_valid() {
        // It fails if the span is not recorded; there is nothing to continue then.
        let _ = span.set_parent(parent);
    }
}

/// An exporter that logs once when the collector is unavailable, and once when it is available again.
#[derive(Debug)]
struct ReportingExporter {
    exporter: SpanExporter,
    is_away: Arc<AtomicBool>,
}

impl opentelemetry_sdk::trace::SpanExporter for ReportingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        match &sent {
            Err(error) if !self.is_away.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "traces cannot be sent to OTLP_ENDPOINT and are dropped until it is back");
            }
            Ok(()) if self.is_away.swap(false, Ordering::Relaxed) => {
                tracing::info!("traces are sent to OTLP_ENDPOINT again");
            }
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        opentelemetry_sdk::trace::SpanExporter::shutdown_with_timeout(&self.exporter, timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        opentelemetry_sdk::trace::SpanExporter::set_resource(&mut self.exporter, resource);
    }
}
