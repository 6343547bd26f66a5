//! Kills while an item on the site is changed, and the outcome of each change by the site's records.

use std::fmt;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use vintedbot_marketplace::FillStep;
use vintedbot_worker::Stage;

use super::listing::NEW_PRICE;
use super::plan::{Cell, Kill, Phase, Script, What, named};
use crate::records::{Item, Record, What as Recorded};

/// The end of a change's job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The change is reported as made.
    Done,
    /// A person is asked.
    Asked,
    /// Neither in time; the text holds the last known state.
    Neither(String),
}

/// The outcome of a change.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub cell: Cell,
    pub item_id: u64,
    pub kills: usize,
    /// Stages at which a kill was planned, but which were not reached.
    pub missed: Vec<Stage>,
    pub ended: Ended,
}

/// A change that was cancelled while its worker was about to commit the intent.
#[derive(Clone, Debug)]
pub struct Cancelled {
    pub what: What,
    pub item_id: u64,
    pub state: &'static str,
}

/// All observations of changes.
#[derive(Debug, Default)]
pub struct Changes {
    pub outcomes: Vec<Outcome>,
    pub cancelled: Vec<Cancelled>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Once,
    Twice,
    Lost,
    Undecided,
}

/// The number of changes that are cancelled right before their intent.
pub const CANCELLED_BEFORE_INTENT: usize = 4;

/// Returns cells with exactly `kills` kills: every stage in turn with alternating kinds of changes, and each
/// misbehaviour.
pub fn cells(kills: usize, seed: u64) -> Vec<Cell> {
    let mut random = StdRng::seed_from_u64(seed ^ 2);
    let clicked = Kill::At {
        stage: Stage::PublishClicked,
        from: Phase::Publish,
    };
    let again = |stage| Kill::At {
        stage,
        from: Phase::Restart,
    };
    // The most important cells come first, for small numbers of kills.
    let mut cells = vec![
        cell(What::Price, Script::Nothing, vec![clicked]),
        cell(What::Edit, Script::ChangedSeenLate, vec![clicked]),
        cell(What::Delete, Script::Nothing, vec![clicked]),
        cell(What::Hide, Script::ChangedThen500, vec![clicked]),
        cell(What::Price, Script::ChangeLost, vec![clicked]),
        cell(
            What::Price,
            Script::ChangedThenCut,
            vec![clicked, again(Stage::SiteRead)],
        ),
        cell(
            What::Delete,
            Script::ChangedThen500,
            vec![clicked, again(Stage::Reconciled)],
        ),
        cell(
            What::Hide,
            Script::ChangeLost,
            vec![clicked, again(Stage::LeftoversEnded)],
        ),
    ];
    let all = [What::Edit, What::Price, What::Delete, What::Hide];
    let reached = Stage::all().filter(|stage| is_reached(*stage, Phase::Publish, true));
    for (number, stage) in reached.enumerate() {
        let from = Phase::Publish;
        cells.push(cell(
            all[number % 4],
            Script::Nothing,
            vec![Kill::At { stage, from }],
        ));
    }
    for stage in Stage::all().filter(|stage| is_reached(*stage, Phase::Prepare, true)) {
        let from = Phase::Prepare;
        cells.push(cell(What::Price, Script::Nothing, vec![Kill::At { stage, from }]));
    }
    let mut left = kills;
    cells.retain(|cell| {
        let fits = cell.kills.len() <= left;
        left -= if fits { cell.kills.len() } else { 0 };
        fits
    });
    while left > 0 {
        let from = if random.random_bool(0.3) {
            Phase::Prepare
        } else {
            Phase::Publish
        };
        let part = random.random_range(0.0..1.1);
        let script = match random.random_range(0..8) {
            0 => Script::ChangedThenCut,
            1 => Script::ChangeLost,
            _ => Script::Nothing,
        };
        let what = all[random.random_range(0..all.len())];
        cells.push(cell(what, script, vec![Kill::Random { from, part }]));
        left -= 1;
    }
    named(cells, 'e')
}

fn cell(what: What, script: Script, kills: Vec<Kill>) -> Cell {
    Cell {
        word: String::new(),
        what,
        dry_run: true,
        script,
        kills,
    }
}

/// Returns whether an attempt at a change that begins in this phase reaches a stage.
pub fn is_reached(stage: Stage, phase: Phase, _: bool) -> bool {
    match stage {
        Stage::Claimed
        | Stage::Begun
        | Stage::FormSessionRecorded
        | Stage::FormSessionStarted
        | Stage::LeftoversEnded => true,
        Stage::Fill(step) => matches!(
            step,
            FillStep::SignedIn | FillStep::FormOpened | FillStep::ReadBack | FillStep::ScreenshotTaken
        ),
        Stage::PreparedUnrecorded => phase == Phase::Prepare,
        Stage::WardrobeRead | Stage::PublishIntended | Stage::PublishClicked | Stage::PublishRecorded => {
            phase == Phase::Publish
        }
        _ => false,
    }
}

/// Returns how often the site accepted a change.
fn applied(records: &[Record], what: What, word: Option<&str>, item_id: u64) -> usize {
    let is_it = |record: &&Record| {
        let (item, is_kind): (&Item, bool) = match &record.what {
            Recorded::ItemEdited(item) => {
                let is_kind = match what {
                    What::Price => item.price_minor == Some(NEW_PRICE),
                    What::Edit => word.is_none_or(|word| item.description.contains(word)),
                    _ => false,
                };
                (item, is_kind)
            }
            Recorded::ItemHidden(item) => (item, what == What::Hide),
            Recorded::ItemDeleted(item) => (item, what == What::Delete),
            _ => return false,
        };
        is_kind && item.item_id == item_id
    };
    records.iter().filter(is_it).count()
}

impl Changes {
    fn verdict(outcome: &Outcome, records: &[Record]) -> Verdict {
        let Outcome {
            cell, item_id, ended, ..
        } = outcome;
        match (applied(records, cell.what, Some(&cell.word), *item_id), ended) {
            (2.., _) => Verdict::Twice,
            (1, Ended::Done) => Verdict::Once,
            (_, Ended::Asked) => Verdict::Undecided,
            (_, Ended::Done | Ended::Neither(_)) => Verdict::Lost,
        }
    }

    /// Returns the number of changes that were cancelled and made nevertheless.
    fn harmed(&self, records: &[Record]) -> usize {
        let is_harm = |each: &&Cancelled| applied(records, each.what, None, each.item_id) > 0;
        self.cancelled.iter().filter(is_harm).count()
    }

    /// Returns all deviations from the expected outcomes.
    pub fn problems(&self, records: &[Record]) -> Vec<String> {
        let mut problems = Vec::new();
        for outcome in &self.outcomes {
            let of = |what: String| format!("item {}: {what} ({:?})", outcome.item_id, outcome.cell);
            let missed = outcome.missed.iter();
            problems.extend(missed.map(|stage| of(format!("{} was not reached", stage.name()))));
            match Self::verdict(outcome, records) {
                Verdict::Once => {}
                verdict => problems.push(of(format!("{verdict:?}, {:?}", outcome.ended))),
            }
        }
        for each in &self.cancelled {
            let times = applied(records, each.what, None, each.item_id);
            if times > 0 {
                let (what, id, state) = (each.what, each.item_id, each.state);
                problems.push(format!(
                    "{what:?} of item {id} was cancelled, but the site has it: {state}"
                ));
            }
        }
        problems
    }

    /// Writes the closing lines, each with its kinds of changes.
    pub fn write(&self, f: &mut fmt::Formatter<'_>, records: &[Record]) -> fmt::Result {
        if self.outcomes.is_empty() && self.cancelled.is_empty() {
            return Ok(());
        }
        let (cancelled, harmed) = (self.cancelled.len(), self.harmed(records));
        writeln!(
            f,
            "cancelled at the gate: {cancelled} changes, {harmed} done all the same"
        )?;
        let kinds: [(&str, &[What]); 4] = [
            (
                "crash edits",
                &[What::Edit, What::Price, What::Hide, What::Delete],
            ),
            ("  of these prices", &[What::Price]),
            ("  of these hidings", &[What::Hide]),
            ("  of these deletions", &[What::Delete]),
        ];
        for (name, kinds) in kinds.into_iter().rev() {
            let outcomes = self
                .outcomes
                .iter()
                .filter(|each| kinds.contains(&each.cell.what));
            let (mut kills, mut twice, mut lost, mut undecided) = (0, 0, 0, 0);
            for outcome in outcomes {
                kills += outcome.kills;
                match Self::verdict(outcome, records) {
                    Verdict::Once => {}
                    Verdict::Twice => twice += 1,
                    Verdict::Lost => lost += 1,
                    Verdict::Undecided => undecided += 1,
                }
            }
            writeln!(
                f,
                "{name}: {kills} kills, {twice} applied twice, {lost} lost, {undecided} undecided"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_get_exactly_the_requested_kills() {
        for kills in [0, 1, 10, 200] {
            let cells = cells(kills, 7);
            assert_eq!(cells.iter().map(|cell| cell.kills.len()).sum::<usize>(), kills);
        }
    }

    #[test]
    fn enough_kills_cover_every_change_stage() {
        let cells = cells(200, 7);
        for phase in [Phase::Prepare, Phase::Publish] {
            for wanted in Stage::all().filter(|stage| is_reached(*stage, phase, true)) {
                let at = cells.iter().flat_map(|cell| &cell.kills).any(
                    |kill| matches!(kill, Kill::At { stage, from } if *stage == wanted && *from == phase),
                );
                assert!(at, "{wanted:?} from {phase:?}");
            }
        }
    }
}
