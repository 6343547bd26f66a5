//! The table that is printed at the end, and the format of its figures.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

/// One measurement.
#[derive(Debug)]
pub struct Row {
    pub what: String,
    pub measured: String,
    /// The value of the yardstick; empty without a yardstick.
    pub yardstick: String,
    /// The comparison of the two; empty without a comparison.
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
    /// Adds the rows of a subject, or its error.
    pub fn add(&mut self, subject: &str, measured: Result<Vec<Row>>) {
        match measured {
            Ok(rows) => self.rows.extend(rows),
            Err(error) => self
                .failures
                .push(format!("{subject} could not be measured: {error:#}")),
        }
    }

    /// Returns whether all measurements succeeded.
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

/// Formats a duration with about three digits.
pub fn time(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        ..1_000.0 => format!("{micros:.0} µs"),
        ..10_000.0 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.0} ms", micros / 1e3),
    }
}

/// Returns the percentile of the sorted `durations`; `part` 0.5 is the median.
pub fn percentile(durations: &[Duration], part: f64) -> Duration {
    let last = durations.len().saturating_sub(1);
    let at = (last as f64 * part).round() as usize;
    durations.get(at).copied().unwrap_or_default()
}

/// Returns the median of durations in any order.
pub fn median(durations: &mut [Duration]) -> Duration {
    durations.sort_unstable();
    percentile(durations, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_is_one_of_the_durations() {
        let durations: Vec<_> = (1..=101).map(Duration::from_millis).collect();
        assert_eq!(percentile(&durations, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&durations, 0.99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 0.99), Duration::ZERO);
    }

    #[test]
    fn unmeasured_value_is_reported_and_table_is_incomplete() {
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
