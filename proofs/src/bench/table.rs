//! The table that is printed in the end, and how figures are written in it.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

/// One measurement.
#[derive(Debug)]
pub struct Row {
    pub what: String,
    pub measured: String,
    /// What was measured beside it; empty: nothing.
    pub yardstick: String,
    /// How the two compare; empty: they are not compared.
    pub ratio: String,
    pub bar: String,
    pub is_met: bool,
}

impl Row {
    fn cells(&self) -> [&str; 6] {
        [
            &self.what,
            &self.measured,
            &self.yardstick,
            &self.ratio,
            &self.bar,
            if self.is_met { "yes" } else { "NO" },
        ]
    }
}

/// All measurements.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    failures: Vec<String>,
}

impl Table {
    /// Takes what was measured of a subject, or why it could not be.
    pub fn add(&mut self, subject: &str, measured: Result<Vec<Row>>) {
        match measured {
            Ok(rows) => self.rows.extend(rows),
            Err(error) => self
                .failures
                .push(format!("{subject} could not be measured: {error:#}")),
        }
    }

    /// Whether everything could be measured.
    pub fn is_whole(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["what", "measured", "yardstick", "ratio", "bar", "met"];
        let lines = || std::iter::once(head).chain(self.rows.iter().map(Row::cells));
        let width = |column: usize| {
            lines()
                .map(|cells| cells[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for (number, cells) in lines().enumerate() {
            let padded = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
            if number == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                writeln!(f, "{}", rule.join("  "))?;
            }
        }
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        let met = self.rows.iter().filter(|row| row.is_met).count();
        write!(
            f,
            "bench: {met} of {} bars met, {} not measured",
            self.rows.len(),
            self.failures.len()
        )
    }
}

/// A duration with three digits or so.
pub fn time(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..1_000.0 => format!("{micros:.0} µs"),
        ..10_000.0 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.0} ms", micros / 1e3),
    }
}

/// The duration below which a part of the sorted `durations` lies: 0.5 for the median.
pub fn percentile(durations: &[Duration], part: f64) -> Duration {
    let last = durations.len().saturating_sub(1);
    let at = (last as f64 * part).round() as usize;
    durations.get(at).copied().unwrap_or_default()
}

/// The median of durations in any order.
pub fn median(durations: &mut [Duration]) -> Duration {
    durations.sort_unstable();
    percentile(durations, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_durations() {
        let durations: Vec<_> = (1..=101).map(Duration::from_millis).collect();
        assert_eq!(percentile(&durations, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&durations, 0.99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 0.99), Duration::ZERO);
    }

    #[test]
    fn what_could_not_be_measured_is_told_and_leaves_the_table_incomplete() {
        let mut table = Table::default();
        assert!(table.is_whole());
        table.add("photos", Err(anyhow::anyhow!("no Pillow")));
        assert!(!table.is_whole());
        assert!(
            table
                .to_string()
                .contains("photos could not be measured: no Pillow")
        );
    }
}
