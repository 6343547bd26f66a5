//! What calls took, and what is said in the end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;
use vintedbot_sdk::Error;

use super::strain::Strain;
use crate::bench::table::{percentile, time};

/// By how much memory may have grown between the second third of the time and the last.
const GROWTH_MAX: f64 = 1.15;
/// With fewer looks at it, all there is to see is how it warms up.
const LOOKS_MIN: usize = 60;

/// Calls as they are made.
#[derive(Default)]
pub struct Calls(Mutex<Made>);

#[derive(Default)]
struct Made {
    times: BTreeMap<&'static str, Vec<Duration>>,
    /// By what was called and why it was refused.
    refused: BTreeMap<(&'static str, String), usize>,
}

/// One line of the table.
pub struct Row {
    pub what: &'static str,
    /// Sorted.
    pub times: Vec<Duration>,
}

impl Calls {
    /// Makes a call and writes down what it took, or why it was refused.
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

    /// Begins to count anew.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Made::default();
    }

    /// The lines of the table, and what was refused how often.
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

/// What came of it.
pub struct Report {
    pub sellers: usize,
    pub watchers: usize,
    pub time: Duration,
    pub rows: Vec<Row>,
    pub refused: Vec<String>,
    /// That watchers were told of, each counted.
    pub events: u64,
    /// That a watcher was not told of.
    pub lost: u64,
    /// KiB in memory, from time to time.
    pub memory: Vec<u64>,
    pub strain: Strain,
}

impl Report {
    /// Whether nothing was lost or refused, and memory stayed where it was.
    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.refused.is_empty() && self.is_flat()
    }

    /// The medians of the thirds, in KiB: the first is of warming up.
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
    fn memory_that_grows_after_it_was_warm_is_told() {
        let warms_up = (0..180).map(|second: u64| second.min(40));
        assert!(report(warms_up.collect()).is_good());
        assert!(!report((0..180).collect()).is_good());
        assert!(report((0..6).collect()).is_good(), "too short to say");
    }

    #[test]
    fn one_lost_event_and_one_refused_call_are_too_many() {
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
