//! Compares the watchers' events with the log, in a separate process.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use super::watcher::{Delivery, Footer, Header, Wanted};

/// The number of problems that are listed one by one.
const PROBLEMS_MAX: usize = 20;

/// The result of the comparison.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    pub deliveries: usize,
    /// Events of the log that a watcher should have received and did not.
    pub lost: usize,
    /// Events that arrived more than once.
    pub doubled: usize,
    /// Sequences in the log without an event.
    pub gaps: u64,
    pub problems: Vec<String>,
}

/// An event of the log.
#[derive(Clone, Debug)]
pub struct Logged {
    pub sequence: u64,
    pub kind: String,
    pub resource_type: String,
    pub resource_id: String,
    pub account_id: Option<String>,
    pub thread_id: Option<String>,
}

impl Wanted {
    fn takes(&self, event: &Logged) -> bool {
        let is_of = |wanted: &Option<String>, id: &Option<String>| wanted.is_none() || wanted == id;
        (self.resource_types.is_empty() || self.resource_types.contains(&event.resource_type))
            && is_of(&self.account_id, &event.account_id)
            && (event.thread_id.is_none() || is_of(&self.thread_id, &event.thread_id))
    }
}

/// Compares every watcher's file in a folder with the table of events.
///
/// # Errors
///
/// Fails if there is nothing to compare or a file is not a watcher's.
pub fn compare(folder: &Path, database: &Path) -> Result<Compared> {
    let (log, head) = read_log(database)?;
    let mut compared = Compared {
        gaps: gaps(&log, head),
        ..Compared::default()
    };
    let mut files = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !name.starts_with("watcher-") {
            continue;
        }
        files += 1;
        let text = std::fs::read_to_string(&path)?;
        one(name, &text, &log, &mut compared).with_context(|| name.to_owned())?;
    }
    ensure!(files > 0, "there is no file of a watcher");
    compared.problems.truncate(PROBLEMS_MAX);
    Ok(compared)
}

/// Reads the log, and the sequence in the table of heads.
fn read_log(database: &Path) -> Result<(Vec<Logged>, u64)> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let workspaces: i64 =
        connection.query_row("SELECT COUNT(DISTINCT workspace_id) FROM events", [], |row| {
            row.get(0)
        })?;
    ensure!(workspaces == 1, "{workspaces} workspaces have events");
    let mut statement = connection
        .prepare("SELECT sequence, kind, resource_type, resource_id, account_id, thread_id FROM events ORDER BY sequence")?;
    let rows = statement.query_map([], |row| {
        Ok(Logged {
            sequence: row.get::<_, i64>(0)?.unsigned_abs(),
            kind: row.get(1)?,
            resource_type: row.get(2)?,
            resource_id: row.get(3)?,
            account_id: row.get(4)?,
            thread_id: row.get(5)?,
        })
    })?;
    let log = rows.collect::<rusqlite::Result<_>>()?;
    let head: i64 = connection.query_row("SELECT sequence FROM event_heads", [], |row| row.get(0))?;
    Ok((log, head.unsigned_abs()))
}

/// Returns the number of sequences without an event between the oldest event and the head.
fn gaps(log: &[Logged], head: u64) -> u64 {
    let places = log
        .first()
        .map_or(0, |oldest| (head + 1).saturating_sub(oldest.sequence));
    // The table's key allows one event per sequence.
    places.abs_diff(log.len() as u64)
}

/// Compares one watcher's file.
fn one(name: &str, text: &str, log: &[Logged], compared: &mut Compared) -> Result<()> {
    let lines: Vec<&str> = text.lines().collect();
    let [first, middle @ .., last] = lines.as_slice() else {
        anyhow::bail!("the file has no header or footer");
    };
    let header: Header = serde_json::from_str(first)?;
    let footer: Footer = serde_json::from_str(last)?;
    if let Some(why) = &footer.broken_off {
        compared.problems.push(format!("{name} gave up: {why}"));
    }
    let mut got: BTreeMap<u64, usize> = BTreeMap::new();
    let mut before = 0;
    for line in middle {
        let delivery: Delivery = serde_json::from_str(line)?;
        compared.deliveries += 1;
        *got.entry(delivery.sequence).or_default() += 1;
        if delivery.sequence <= before {
            compared.problems.push(format!(
                "{name}: event {} came after event {before}",
                delivery.sequence
            ));
        }
        before = delivery.sequence;
        let logged = log
            .binary_search_by_key(&delivery.sequence, |event| event.sequence)
            .ok()
            .map(|at| &log[at]);
        let is_wanted = logged.is_some_and(|event| {
            event.resource_id == delivery.resource_id
                && event.kind == delivery.kind
                && event.sequence > header.from
                && header.wanted.takes(event)
        });
        if !is_wanted {
            compared
                .problems
                .push(format!("{name}: event {} was not expected", delivery.sequence));
        }
    }
    compared.doubled += got.values().map(|count| count - 1).sum::<usize>();
    for event in log {
        let is_due =
            event.sequence > header.from && event.sequence <= footer.to && header.wanted.takes(event);
        if is_due && !got.contains_key(&event.sequence) {
            compared.lost += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<Logged> {
        (1..=6)
            .map(|sequence| Logged {
                sequence,
                kind: "CREATED".to_owned(),
                resource_type: if sequence % 2 == 0 { "TEMPLATE" } else { "LISTING" }.to_owned(),
                resource_id: format!("r{sequence}"),
                account_id: (sequence > 4).then(|| "a".to_owned()),
                thread_id: (sequence > 3).then(|| format!("t{}", sequence % 2)),
            })
            .collect()
    }

    fn templates() -> Wanted {
        Wanted {
            resource_types: vec!["TEMPLATE".to_owned()],
            ..Wanted::default()
        }
    }

    fn compared(wanted: Wanted, sequences: &[u64]) -> Compared {
        let mut lines = vec![serde_json::to_string(&Header { from: 2, wanted }).expect("JSON")];
        lines.extend(sequences.iter().map(|sequence| {
            let delivery = Delivery {
                sequence: *sequence,
                kind: "CREATED".to_owned(),
                resource_id: format!("r{sequence}"),
            };
            serde_json::to_string(&delivery).expect("JSON")
        }));
        let footer = Footer {
            to: 6,
            broken_off: None,
        };
        lines.push(serde_json::to_string(&footer).expect("JSON"));
        let mut compared = Compared::default();
        one("watcher", &lines.join("\n"), &log(), &mut compared).expect("a file");
        compared
    }

    #[test]
    fn each_event_once_is_correct() {
        let whole = compared(Wanted::default(), &[3, 4, 5, 6]);
        assert_eq!((whole.lost, whole.doubled, whole.problems.len()), (0, 0, 0));
        let filtered = compared(templates(), &[4, 6]);
        assert_eq!(
            (filtered.lost, filtered.doubled, filtered.problems.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn each_filter_selects_its_events() {
        let account = Wanted {
            account_id: Some("a".to_owned()),
            ..Wanted::default()
        };
        // What belongs to no thread comes, too.
        let thread = Wanted {
            thread_id: Some("t0".to_owned()),
            ..Wanted::default()
        };
        for (wanted, sequences) in [(account, [5, 6].as_slice()), (thread, &[3, 4, 6])] {
            let compared = compared(wanted, sequences);
            assert_eq!(
                (compared.lost, compared.doubled, compared.problems.len()),
                (0, 0, 0)
            );
        }
    }

    #[test]
    fn log_with_a_gap_or_missing_end_is_reported() {
        let mut log = log();
        assert_eq!((gaps(&log, 6), gaps(&log, 7), gaps(&[], 0)), (0, 1, 0));
        log.remove(2);
        assert_eq!(gaps(&log, 6), 1);
        // A log may begin later, because older events are deleted.
        log.remove(0);
        assert_eq!(gaps(&log, 6), 1);
    }

    #[test]
    fn missing_event_is_lost_and_repeated_event_is_doubled() {
        let missing = compared(Wanted::default(), &[3, 5, 6]);
        assert_eq!((missing.lost, missing.doubled), (1, 0));
        let again = compared(Wanted::default(), &[3, 4, 4, 5, 6]);
        assert_eq!((again.lost, again.doubled), (0, 1));
        assert_eq!(again.problems.len(), 1);
    }

    #[test]
    fn unexpected_event_is_a_problem() {
        assert_eq!(compared(templates(), &[3, 4, 6]).problems.len(), 1);
        assert_eq!(compared(Wanted::default(), &[2, 3, 4, 5, 6]).problems.len(), 1);
        assert_eq!(compared(Wanted::default(), &[4, 3, 5, 6]).problems.len(), 1);
    }
}
