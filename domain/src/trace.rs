//! Carries the trace of a request into the jobs that the request creates.
//!
//! The job row stores the parent of the trace (W3C `traceparent`), and the worker that claims the job continues the
//! trace. The binary owns the tracing exporter and installs two functions ([`Hooks`]). Without them,
//! nothing is traced.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracing::Span;

/// The functions that read and continue traces.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// Returns the `traceparent` of the current span, if the span is recorded.
    pub current: fn() -> Option<String>,
    /// Makes a span the child of the span that a `traceparent` names. Ignores a malformed `traceparent`.
    pub adopt: fn(&Span, &str),
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Installs the functions that read and continue traces. Later calls have no effect.
pub fn install(hooks: Hooks) {
    // A process starts its logging once, so a second call would install the same functions.
    let _ = HOOKS.set(hooks);
}

/// Returns the `traceparent` of the current span, if the span is recorded.
pub fn current() -> Option<String> {
    HOOKS.get().and_then(|hooks| (hooks.current)())
}

/// Makes a span the child of the span that a `traceparent` names.
pub fn adopt(span: &Span, traceparent: &str) {
    if let Some(hooks) = HOOKS.get() {
        (hooks.adopt)(span, traceparent);
    }
}

/// The metadata in the `payload` column of a job row.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

impl Payload {
    /// Captures the current trace.
    pub(crate) fn of_current() -> Self {
        Self {
            traceparent: current(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.traceparent.is_none()
    }

    pub(crate) fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// Makes a span continue the trace in the payload of a job row.
pub fn adopt_payload(span: &Span, payload: &str) {
    let payload: Payload = serde_json::from_str(payload).unwrap_or_default();
    if let Some(traceparent) = &payload.traceparent {
        adopt(span, traceparent);
    }
}
