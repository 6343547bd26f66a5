//! Compares the site's records with the sellers' actions.

use std::fmt;
use std::time::Duration;

use super::harm::Observed;
use super::load::Pursued;
use crate::records::{Record, What};

/// The result of one fault.
pub struct Cell {
    pub name: &'static str,
    pub errors: Observed,
    /// The time from the end of the fault until every seller completed a round. `None`: not in time.
    pub recovery: Option<Duration>,
    /// Actions per second.
    pub before: f64,
    pub after: f64,
    pub is_control: bool,
}

impl Cell {
    /// Returns whether the fault had an effect, a control run had none, and the cluster recovered.
    pub fn is_good(&self) -> bool {
        self.recovery.is_some() && (self.errors.total() == 0) == self.is_control
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Observed {
            calls,
            complaints,
            attempts,
        } = self.errors;
        write!(
            f,
            "{:<28} {:>4} errors ({calls} calls, {complaints} complaints, {attempts} attempts), ",
            self.name,
            self.errors.total()
        )?;
        match self.recovery {
            _ if self.is_control => {}
            Some(recovery) => write!(f, "recovered in {:.1} s, ", recovery.as_secs_f64())?,
            None => write!(f, "NOT recovered, ")?,
        }
        write!(f, "{:.1} acts/s before, {:.1} after", self.before, self.after)
    }
}

/// The outcomes of all actions.
#[derive(Default)]
pub struct Verdict {
    pub once: usize,
    pub twice: usize,
    pub lost: usize,
    /// Actions for which a person is asked, because the outcome cannot be known.
    pub asked: usize,
    problems: Vec<String>,
}

impl Verdict {
    pub fn of(pursued: &[Pursued], records: &[Record]) -> Self {
        let mut verdict = Self::default();
        for wanted in pursued {
            let count = records.iter().filter(|record| is_of(record, wanted)).count();
            match (count, &wanted.trouble) {
                (2.., _) => verdict.twice += 1,
                (1, None) => verdict.once += 1,
                (_, Some(trouble)) if trouble.starts_with("a person is asked") => verdict.asked += 1,
                _ => verdict.lost += 1,
            }
            if (count, &wanted.trouble) != (1, &None) {
                let trouble = wanted.trouble.as_deref().unwrap_or("reported as done");
                verdict
                    .problems
                    .push(format!("{}: {count} times on the site; {trouble}", wanted.text));
            }
        }
        verdict
    }

    pub fn is_good(&self) -> bool {
        self.twice == 0 && self.lost == 0
    }
}

fn is_of(record: &Record, wanted: &Pursued) -> bool {
    match &record.what {
        What::ItemPublished(item) => !wanted.is_reply && item.title == wanted.text,
        What::Reply(reply) => wanted.is_reply && reply.body == wanted.text,
        _ => false,
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        write!(
            f,
            "{} done once, {} twice, {} lost, {} asked",
            self.once, self.twice, self.lost, self.asked
        )
    }
}

/// The whole result.
pub struct Report {
    pub cells: Vec<Cell>,
    pub verdict: Verdict,
}

impl Report {
    /// Returns whether every fault had an effect, the cluster recovered, and every guarantee held.
    pub fn is_good(&self) -> bool {
        self.verdict.is_good() && self.cells.iter().all(Cell::is_good)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for cell in &self.cells {
            writeln!(f, "{cell}")?;
        }
        writeln!(f, "{}", self.verdict)?;
        let faults: Vec<_> = self.cells.iter().filter(|cell| !cell.is_control).collect();
        let recovered = faults.iter().filter(|cell| cell.is_good()).count();
        write!(
            f,
            "chaos: {recovered} of {} recovered, {} twice, {} lost",
            faults.len(),
            self.verdict.twice,
            self.verdict.lost
        )
    }
}
