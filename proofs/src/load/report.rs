//! The durations of calls, and the printed result.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;
use vintedbot_sdk::Error;

use super::strain::Strain;
use crate::bench::table::{percentile, time};

/// The largest growth of memory between the second and the last third of the run.
const GROWTH_MAX: f64 = 1.15;
/// With fewer readings, the memory only shows the warm-up.
const LOOKS_MIN: usize = 60;

/// The calls that were made.
#[derive(Default)]
pub struct Calls(Mutex<Made>);

#[derive(Default)]
struct Made {
    times: BTreeMap<&'static str, Vec<Duration>>,
    /// The refused calls, by call and reason.
    refused: BTreeMap<(&'static str, String), usize>,
}

/// One line of the table.
pub struct Row {
    pub what: &'static str,
    /// The durations, sorted.
    pub times: Vec<Duration>,
}

impl Calls {
    /// Makes a call and records its duration, or the reason of its refusal.
    pub async fn time<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T> {
        let began = Instant::now();
        match call.await {
            Ok(answer) => {
                self.took(what, began.elapsed());
                Ok(answer)
            }
            Err(error) => {
                let why = match &error {
                    Error::Api { code, .. } => format!("{code:?} {}", error.reason().as_str_name()),
                    other => other.to_string(),
                };
                let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                *made.refused.entry((what, why)).or_default() += 1;
                Err(error.into())
            }
        }
    }

    pub fn took(&self, what: &'static str, time: Duration) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.times.entry(what).or_default().push(time);
    }

    /// Resets the counts.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Made::default();
    }

    /// Returns the lines of the table, and the refusals with their counts.
    pub fn rows(&self) -> (Vec<Row>, Vec<String>) {
        let made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = made.times.iter().map(|(what, times)| {
            let mut times = times.clone();
            times.sort_unstable();
            Row { what, times }
        });
        let refused = made.refused.iter();
        let refused = refused.map(|((what, why), count)| format!("{count} × {what}: {why}"));
        (rows.collect(), refused.collect())
    }
}

/// The result of a load run.
pub struct Report {
    pub sellers: usize,
    pub watchers: usize,
    pub time: Duration,
    pub rows: Vec<Row>,
    pub refused: Vec<String>,
    /// Events that watchers received, counted for each watcher.
    pub events: u64,
    /// Events that a watcher did not receive.
    pub lost: u64,
    /// The resident memory at regular intervals, in KiB.
    pub memory: Vec<u64>,
    pub strain: Strain,
}

impl Report {
    /// Returns whether nothing was lost or refused and memory stayed flat.
    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.refused.is_empty() && self.is_flat()
    }

    /// Returns the medians of the three thirds, in KiB. The first third is the warm-up.
    fn thirds(&self) -> [u64; 3] {
        let third = self.memory.len().div_ceil(3).max(1);
        let mut medians = [0; 3];
        for (median, looks) in medians.iter_mut().zip(self.memory.chunks(third)) {
            let mut looks = looks.to_vec();
            looks.sort_unstable();
            *median = looks[looks.len() / 2];
        }
        medians
    }

    fn is_flat(&self) -> bool {
        let [_, before, after] = self.thirds();
        self.memory.len() < LOOKS_MIN || after as f64 <= before as f64 * GROWTH_MAX
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:22} {:>7} {:>9} {:>9} {:>9}",
            "", "calls", "p50", "p99", "most"
        )?;
        for row in &self.rows {
            let [p50, p99, most] = [0.5, 0.99, 1.0].map(|part| time(percentile(&row.times, part)));
            let calls = row.times.len();
            writeln!(f, "{:22} {calls:>7} {p50:>9} {p99:>9} {most:>9}", row.what)?;
        }
        for refused in &self.refused {
            writeln!(f, "refused: {refused}")?;
        }
        write!(f, "{}", self.strain)?;
        let calls: usize = self.rows.iter().map(|row| row.times.len()).sum();
        let [first, second, third] = self.thirds().map(|kib| kib / 1_024);
        writeln!(
            f,
            "memory: {first} MiB, {second} MiB, {third} MiB in the thirds of the time"
        )?;
        write!(
            f,
            "load: {} sellers, {} watchers, {} s: {calls} calls, {} refused, {} events, {} lost, memory {}",
            self.sellers,
            self.watchers,
            self.time.as_secs(),
            self.refused.len(),
            self.events,
            self.lost,
            match self.is_flat() {
                _ if self.memory.len() < LOOKS_MIN => "watched too briefly",
                true => "flat",
                false => "GREW",
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(memory: Vec<u64>) -> Report {
        Report {
            sellers: 1,
            watchers: 1,
            time: Duration::from_secs(180),
            rows: Vec::new(),
            refused: Vec::new(),
            events: 0,
            lost: 0,
            memory,
            strain: Strain::default(),
        }
    }

    #[test]
    fn memory_growth_after_warmup_is_reported() {
        let warms_up = (0..180).map(|second: u64| second.min(40));
        assert!(report(warms_up.collect()).is_good());
        assert!(!report((0..180).collect()).is_good());
        assert!(report((0..6).collect()).is_good(), "too short to say");
    }

    #[test]
    fn one_lost_event_or_refused_call_fails_the_run() {
        let lost = Report {
            lost: 1,
            ..report(vec![1; 180])
        };
        assert!(!lost.is_good());
        assert!(lost.to_string().ends_with("0 events, 1 lost, memory flat"));
        let refused = Report {
            refused: vec!["1 × Search: Internal".to_owned()],
            ..report(vec![1; 180])
        };
        assert!(!refused.is_good());
    }
}
