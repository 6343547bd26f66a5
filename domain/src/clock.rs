//! The one place that reads the machine's clocks; everything else is given a [`Clock`].

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

/// UTC milliseconds since 1970.
pub type Millis = i64;

/// Time, passed in, so that a day of schedules runs in a test in a second.
pub trait Clock: Send + Sync + Debug + 'static {
    /// Wall-clock time.
    fn now(&self) -> Millis;

    /// Milliseconds since the machine started, suspended time included. Deadlines of clicks are kept on it, so that a
    /// process that slept through its deadline sees that it did.
    fn since_boot(&self) -> Millis;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one implementation that the rule points to"
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

/// A time as RFC 3339 text, for the metadata of errors: `2026-11-21T03:26:35.120Z`.
pub fn rfc3339(time: Millis) -> String {
    let time = chrono::DateTime::from_timestamp_millis(time).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
