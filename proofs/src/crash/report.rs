//! Compares the site's records with the reported states of the jobs.

use std::collections::BTreeMap;
use std::fmt;

use vintedbot_worker::Stage;

use super::answering;
use super::changing::Changes;
use super::lane::{Ended, Outcome};
use super::plan::{Kill, Phase};
use super::webhooks;
use crate::records::Record;

/// All observations.
pub struct Report {
    pub(super) records: Vec<Record>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) errors: Vec<String>,
    /// The number of processes that instances left behind when they ended.
    pub(super) leftovers: usize,
    pub(super) changes: Changes,
    pub(super) replies: Vec<answering::Outcome>,
    pub(super) webhooks: Vec<webhooks::Outcome>,
}

/// The outcome of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Once,
    /// A person was asked because the site withheld the evidence.
    Asked,
    Twice,
    Lost,
    /// A person was asked although the site showed the evidence.
    Undecided,
}

#[derive(Clone, Copy, Default)]
struct Row {
    kills: usize,
    once: usize,
    asked: usize,
    twice: usize,
    lost: usize,
    undecided: usize,
}

impl Report {
    /// Returns whether every guarantee held and all planned kills were made.
    pub fn is_good(&self) -> bool {
        self.outcomes
            .iter()
            .all(|outcome| matches!(self.verdict(outcome), Verdict::Once | Verdict::Asked))
            && answering::is_good(&self.replies, &self.records)
            && self.problems().is_empty()
    }

    /// Returns how often the site published a listing.
    fn publications(&self, outcome: &Outcome) -> usize {
        let published = self.records.iter().filter_map(Record::published);
        published.filter(|item| item.title == outcome.title).count()
    }

    fn verdict(&self, outcome: &Outcome) -> Verdict {
        let published = self.publications(outcome);
        let is_there = |id: &str| {
            let mut items = self.records.iter().filter_map(Record::published);
            items.any(|item| item.title == outcome.title && item.item_id.to_string() == id)
        };
        match &outcome.ended {
            _ if published > 1 => Verdict::Twice,
            Ended::Asked if outcome.cell.script.withholds() => Verdict::Asked,
            Ended::Asked => Verdict::Undecided,
            Ended::Published { item_id } if is_there(item_id) => Verdict::Once,
            // The job is reported as published, but the site has no such item; or it has not ended.
            Ended::Published { .. } | Ended::Neither(_) => Verdict::Lost,
        }
    }

    /// Returns the problems that invalidate the proof, late decisions and leftovers.
    fn problems(&self) -> Vec<String> {
        let mut problems = self.errors.clone();
        for outcome in &self.outcomes {
            let of = |what: String| format!("{}: {what} ({:?})", outcome.title, outcome.cell);
            problems.extend(
                outcome
                    .missed
                    .iter()
                    .map(|stage| of(format!("{} was not reached", stage.name()))),
            );
            if let Ended::Neither(how) = &outcome.ended {
                problems.push(of(format!("lost: {how}")));
            }
            match self.verdict(outcome) {
                Verdict::Once if outcome.cell.script.withholds() => {
                    problems.push(of("decided although the site withheld the evidence".to_owned()));
                }
                Verdict::Once | Verdict::Asked | Verdict::Lost => {}
                verdict => problems.push(of(format!("{verdict:?}"))),
            }
            if let Some(late) = outcome.lateness_ms.filter(|late| *late >= outcome.settle_ms) {
                problems.push(of(format!("decided {late} ms after it could be known")));
            }
        }
        problems.extend(self.changes.problems(&self.records));
        problems.extend(answering::problems(&self.replies, &self.records));
        problems.extend(webhooks::problems(&self.webhooks));
        if self.leftovers > 0 {
            problems.push(format!(
                "{} processes of a browser were left behind",
                self.leftovers
            ));
        }
        problems
    }

    fn rows(&self) -> BTreeMap<(usize, String), Row> {
        let order: Vec<&str> = Stage::all().map(Stage::name).collect();
        let mut rows: BTreeMap<(usize, String), Row> = BTreeMap::new();
        for outcome in &self.outcomes {
            for kill in &outcome.kills {
                let (place, name) = match kill {
                    Kill::At { stage, .. } => (
                        order
                            .iter()
                            .position(|name| *name == stage.name())
                            .unwrap_or_default(),
                        stage.name(),
                    ),
                    Kill::Random {
                        from: Phase::Prepare, ..
                    } => (order.len(), "at random, preparing"),
                    Kill::Random {
                        from: Phase::Publish, ..
                    } => (order.len() + 1, "at random, publishing"),
                    Kill::Random {
                        from: Phase::Restart, ..
                    } => (order.len() + 2, "at random, after a kill"),
                };
                rows.entry((place, name.to_owned()))
                    .or_default()
                    .count(self.verdict(outcome));
            }
        }
        rows
    }

    fn kills(&self, browser_only: bool) -> usize {
        let counted = self
            .outcomes
            .iter()
            .filter(|outcome| !browser_only || outcome.browser);
        counted.map(|outcome| outcome.kills.len()).sum()
    }

    /// Returns the number of decisions, the largest lateness and its limit, over all listings whose click came before
    /// their last kill.
    fn lateness(&self, browser: bool) -> Option<(usize, i64, i64)> {
        let of = self.outcomes.iter().filter(|outcome| outcome.browser == browser);
        let late: Vec<(i64, i64)> = of
            .filter_map(|each| Some((each.lateness_ms?, each.settle_ms)))
            .collect();
        let (worst, settle_ms) = *late.iter().max()?;
        Some((late.len(), worst, settle_ms))
    }
}

impl Row {
    fn count(&mut self, verdict: Verdict) {
        self.kills += 1;
        let column = match verdict {
            Verdict::Once => &mut self.once,
            Verdict::Asked => &mut self.asked,
            Verdict::Twice => &mut self.twice,
            Verdict::Lost => &mut self.lost,
            Verdict::Undecided => &mut self.undecided,
        };
        *column += 1;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<24} {:>6} {:>9} {:>6} {:>6} {:>5} {:>10}",
            "killed at", "kills", "once", "asked", "twice", "lost", "undecided"
        )?;
        for ((_, name), row) in self.rows() {
            let Row {
                kills,
                once,
                asked,
                twice,
                lost,
                undecided,
            } = row;
            writeln!(
                f,
                "{name:<24} {kills:>6} {once:>9} {asked:>6} {twice:>6} {lost:>5} {undecided:>10}"
            )?;
        }
        for problem in self.problems() {
            writeln!(f, "! {problem}")?;
        }
        let count = |verdict| {
            self.outcomes
                .iter()
                .filter(|outcome| self.verdict(outcome) == verdict)
                .count()
        };
        let withheld: Vec<_> = self
            .outcomes
            .iter()
            .filter(|each| each.cell.script.withholds())
            .collect();
        let again = withheld
            .iter()
            .filter(|outcome| self.publications(outcome) > 1)
            .count();
        let (asked, all) = (count(Verdict::Asked), withheld.len());
        writeln!(
            f,
            "evidence withheld by the site: {asked} of {all} asked, {again} tried again"
        )?;
        for (browser, name) in [(false, "without a browser"), (true, "with a browser")] {
            if let Some((decisions, worst, settle_ms)) = self.lateness(browser) {
                writeln!(
                    f,
                    "{decisions} decisions {name}: {worst} ms late at most, the settling window is {settle_ms} ms"
                )?;
            }
        }
        writeln!(f, "browser: {} kills", self.kills(true))?;
        self.changes.write(f, &self.records)?;
        answering::write(f, &self.replies, &self.records)?;
        webhooks::write(f, &self.webhooks)?;
        write!(
            f,
            "crash: {} kills, {} published twice, {} lost, {} undecided",
            self.kills(false),
            count(Verdict::Twice),
            count(Verdict::Lost),
            count(Verdict::Undecided)
        )
    }
}
