//! Traces, where OTLP_ENDPOINT asks for them: spans go to a collector from a bounded queue, in a thread of its own.
//! Nothing waits for them; a collector that is away costs its spans, and one line in the log.

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

/// Spans that wait; more are dropped.
const QUEUE: usize = 4096;
const SENT_EVERY: Duration = Duration::from_secs(1);
const SENT_WITHIN: Duration = Duration::from_secs(2);
const TRACEPARENT: &str = "traceparent";

/// Ends with what waits being sent, as far as the collector takes it.
pub struct Traces(SdkTracerProvider);

impl Drop for Traces {
    fn drop(&mut self) {
        // What cannot be sent now is lost, which was said.
        let _ = self.0.shutdown_with_timeout(SENT_WITHIN);
    }
}

/// What makes traces of spans, if that is asked for.
pub fn start(config: &Config) -> Result<Option<(SdkTracer, Traces)>> {
    if config.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&config.otlp_endpoint)
        .with_timeout(SENT_WITHIN)
        .build()
        .with_context(|| format!("OTLP_ENDPOINT = {}", config.otlp_endpoint))?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_scheduled_delay(SENT_EVERY)
        .build();
    let processor = BatchSpanProcessor::builder(Told {
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
        // It fails where the span is not recorded, and then there is nothing to continue.
        let _ = span.set_parent(parent);
    }
}

/// Says once that the collector is away, and once that it is back.
#[derive(Debug)]
struct Told {
    exporter: SpanExporter,
    is_away: Arc<AtomicBool>,
}

impl opentelemetry_sdk::trace::SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        match &sent {
            Err(error) if !self.is_away.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "traces cannot be sent to OTLP_ENDPOINT; they are dropped until it is back");
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
