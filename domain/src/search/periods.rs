//! Periods of time as marks of documents, with which PostgreSQL's index is asked for what is of some weeks only. SQLite needs
//! none: FTS5 reads its lists from the newest document on.

use super::index::first_id;

/// How long a period is: so many bits of a time in milliseconds. 19 hours, 25 days, 2 years.
const LEVELS: [u32; 3] = [26, 31, 36];
/// Ever longer windows: periods of a level, and how many of them.
pub(super) const WINDOWS: [Window; 6] = [
    Window { level: 0, count: 1 },
    Window { level: 0, count: 8 },
    Window { level: 1, count: 2 },
    Window { level: 1, count: 12 },
    Window { level: 2, count: 2 },
    Window { level: 2, count: 8 },
];

/// Some periods that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    level: usize,
    count: i64,
}

/// The marks of the document with this id.
pub(super) fn of(id: i64) -> impl Iterator<Item = String> {
    (0..LEVELS.len()).map(move |level| mark(level, period(level, id)))
}

impl Window {
    /// The marks of the periods up to the one of the newest id before `until`, and the first id of the earliest.
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
    fn windows_grow() {
        assert!(WINDOWS.is_sorted_by_key(|window| window.count << LEVELS[window.level]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever stands between a window's first id and its end has one of its marks, and nothing else has.
        #[test]
        fn a_window_is_what_has_its_marks(until in 1..first_id(1 << 42), back in 0..first_id(1 << 39), which in 0..WINDOWS.len()) {
            let (marks, floor) = WINDOWS[which].before(until);
            let marks: Vec<_> = marks.collect();
            let id = (until - 1 - back).max(0);
            prop_assert_eq!(of(id).any(|mark| marks.contains(&mark)), id >= floor);
        }
    }
}
