//! A request's trace goes on in the job that it made: the row keeps the trace's parent (W3C `traceparent`), and whoever
//! works on it goes on from there.
//!
//! What traces are made of is the binary's to know; it gives two functions, and where it gives none there are no traces.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracing::Span;

/// How traces are read and continued.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// The `traceparent` of the current span, if it is recorded.
    pub current: fn() -> Option<String>,
    /// Makes a span the child of what a `traceparent` names. What cannot be read is left alone.
    pub adopt: fn(&Span, &str),
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Sets how traces are read and continued, once for this process.
pub fn install(hooks: Hooks) {
    // A second one would be the same: a process starts its logging once.
    let _ = HOOKS.set(hooks);
}

/// The `traceparent` of the current span.
pub fn current() -> Option<String> {
    HOOKS.get().and_then(|hooks| (hooks.current)())
}

/// Makes a span go on from a `traceparent`.
pub fn adopt(span: &Span, traceparent: &str) {
    if let Some(hooks) = HOOKS.get() {
        (hooks.adopt)(span, traceparent);
    }
}

/// What a job's row keeps beside what it is for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

impl Payload {
    /// The current trace's.
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

/// Makes a span go on from where a job's row came from.
pub fn adopt_payload(span: &Span, payload: &str) {
    let payload: Payload = serde_json::from_str(payload).unwrap_or_default();
    if let Some(traceparent) = &payload.traceparent {
        adopt(span, traceparent);
    }
}
