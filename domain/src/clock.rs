//! The only place that reads the machine's clocks. All other code takes a [`Clock`].

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

/// UTC milliseconds since 1970.
pub type Millis = i64;

/// A source of time. It is passed in, so that a test can run a day of schedules in a second.
pub trait Clock: Send + Sync + Debug + 'static {
    /// Returns the wall-clock time.
    fn now(&self) -> Millis;

    /// Returns the milliseconds since the machine started, including suspended time. Deadlines of clicks use it, so
    /// that a process that was suspended past its deadline notices.
    fn since_boot(&self) -> Millis;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only implementation of Clock that reads the system time"
    )]
    fn now(&self) -> Millis {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::try_from(elapsed.as_millis()).unwrap_or(Millis::MAX)
    }

    fn since_boot(&self) -> Millis {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}

/// Formats a time as RFC 3339 text for the metadata of errors: `2026-11-21T03:26:35.120Z`.
pub fn rfc3339(time: Millis) -> String {
    let time = chrono::DateTime::from_timestamp_millis(time).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
