//! Time periods as marks of documents, with which PostgreSQL's index can be limited to a time range. SQLite does not
//! need them, because FTS5 reads its lists from the newest document.

use super::index::first_id;

/// The lengths of periods as powers of two, in milliseconds: 19 hours, 25 days, 2 years.
const LEVELS: [u32; 3] = [26, 31, 36];
/// Time ranges of growing length, each a number of periods of one level.
pub(super) const TIME_RANGES: [TimeRange; 6] = [
    TimeRange { level: 0, count: 1 },
    TimeRange { level: 0, count: 8 },
    TimeRange { level: 1, count: 2 },
    TimeRange { level: 1, count: 12 },
    TimeRange { level: 2, count: 2 },
    TimeRange { level: 2, count: 8 },
];

/// A number of consecutive periods.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeRange {
    level: usize,
    count: i64,
}

/// Returns the marks of the document with this id.
pub(super) fn of(id: i64) -> impl Iterator<Item = String> {
    (0..LEVELS.len()).map(move |level| mark(level, period(level, id)))
}

impl TimeRange {
    /// Returns the marks of the last `count` periods before `until`, and the first id of the earliest.
    pub(super) fn before(&self, until: i64) -> (impl Iterator<Item = String>, i64) {
        let last = period(self.level, until - 1);
        let first = (last - self.count + 1).max(0);
        let marks = (first..=last).map(move |period| mark(self.level, period));
        (marks, first_id(first << LEVELS[self.level]))
    }
}

fn period(level: usize, id: i64) -> i64 {
    (id / first_id(1)) >> LEVELS[level]
}

fn mark(level: usize, period: i64) -> String {
    format!("~{level}{period:x}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn periods_grow() {
        assert!(TIME_RANGES.is_sorted_by_key(|range| range.count << LEVELS[range.level]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// An id has one of the range's marks if and only if it is at or after the range's first id.
        #[test]
        fn period_selects_rows_with_its_marks(until in 1..first_id(1 << 42), back in 0..first_id(1 << 39), which in 0..TIME_RANGES.len()) {
            let (marks, floor) = TIME_RANGES[which].before(until);
            let marks: Vec<_> = marks.collect();
            let id = (until - 1 - back).max(0);
            prop_assert_eq!(of(id).any(|mark| marks.contains(&mark)), id >= floor);
        }
    }
}
