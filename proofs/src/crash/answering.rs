//! What is killed while a reply is sent, and what has become of it by the site's records.

use std::fmt;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use vintedbot_worker::Stage;

use crate::records::{Record, What as Recorded};

/// What the site does to a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    Nothing,
    /// It takes the reply, and answers with status 500.
    TakenThen500,
    /// It takes the reply, and cuts the line.
    TakenThenCut,
    /// It takes the reply, cuts the line, and shows the message late.
    TakenSeenLate,
    /// It takes the reply, and does not say as which message.
    TakenWithoutId,
    /// It cuts the line, and takes nothing.
    Lost,
}

impl Script {
    /// The rule for the practice site, for the reply with this word in its text.
    pub fn rule(self, word: &str) -> Option<Value> {
        let action = match self {
            Self::Nothing => return None,
            Self::TakenThen500 => json!({"accept_then_500": true}),
            Self::TakenThenCut => json!({"accept_then_cut": true}),
            // Below the settling window.
            Self::TakenSeenLate => json!({"accept_then_cut": true, "delay_visible_ms": 2_000}),
            Self::TakenWithoutId => json!({"leave_out": ["id"]}),
            Self::Lost => json!({"reset": true}),
        };
        Some(json!({"on": "reply", "title_contains": word, "times": 1, "do": action}))
    }
}

/// One SIGKILL.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    At(Stage),
    /// After this part of the time that a reply usually takes.
    Random(f64),
}

/// A reply on its way to the site, and the kills that befall it.
#[derive(Clone, Debug)]
pub struct Cell {
    pub script: Script,
    pub kills: Vec<Kill>,
}

/// How a reply ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was sent, it says.
    Sent,
    /// A person is asked.
    Asked,
    /// Neither in time; how it stood then.
    Neither(String),
}

/// What became of a reply.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub cell: Cell,
    /// What was to be said, which nobody else says.
    pub text: String,
    pub kills: usize,
    /// Stages that were to be killed at and never came.
    pub missed: Vec<Stage>,
    pub ended: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Once,
    Twice,
    Lost,
    Undecided,
}

/// Cells with exactly `kills` kills: every stage in turn, what the site does not tell, and random moments.
pub fn cells(kills: usize, seed: u64) -> Vec<Cell> {
    use Stage::{Claimed, ConversationRead, Reconciled, ReplyIntended, ReplyRecorded, ReplySent};
    let cell = |script, at: &[Stage]| Cell {
        script,
        kills: at.iter().map(|stage| Kill::At(*stage)).collect(),
    };
    // What matters most comes first, for when there are few.
    let mut cells = vec![
        cell(Script::Nothing, &[ReplySent]),
        cell(Script::TakenSeenLate, &[ReplySent]),
        cell(Script::Nothing, &[ReplyIntended]),
        cell(Script::TakenThen500, &[ReplySent]),
        cell(Script::Lost, &[ReplySent]),
        cell(Script::TakenWithoutId, &[ReplySent]),
        cell(Script::TakenThenCut, &[ReplySent, ConversationRead]),
        cell(Script::Nothing, &[ReplySent, Reconciled]),
        cell(Script::Nothing, &[Claimed]),
        cell(Script::Nothing, &[ConversationRead]),
        cell(Script::Nothing, &[ReplyRecorded]),
        cell(Script::TakenThenCut, &[ReplyRecorded]),
    ];
    let mut left = kills;
    cells.retain(|cell| {
        let fits = cell.kills.len() <= left;
        left -= if fits { cell.kills.len() } else { 0 };
        fits
    });
    let mut random = StdRng::seed_from_u64(seed ^ 3);
    while left > 0 {
        let script = match random.random_range(0..10) {
            0 => Script::TakenThenCut,
            1 => Script::TakenSeenLate,
            2 => Script::Lost,
            3 => Script::TakenWithoutId,
            _ => Script::Nothing,
        };
        let stages = Stage::OF_REPLIES;
        let kill = match random.random_range(0..3) {
            // Only a reply in doubt is looked for.
            0 => Kill::At(stages[random.random_range(0..stages.len() - 1)]),
            _ => Kill::Random(random.random_range(0.0..1.1)),
        };
        cells.push(Cell {
            script,
            kills: vec![kill],
        });
        left -= 1;
    }
    cells
}

/// How often the site took a reply.
fn taken(records: &[Record], text: &str) -> usize {
    let is_it = |record: &&Record| matches!(&record.what, Recorded::Reply(reply) if reply.body == text);
    records.iter().filter(is_it).count()
}

fn verdict(outcome: &Outcome, records: &[Record]) -> Verdict {
    match (taken(records, &outcome.text), &outcome.ended) {
        (2.., _) => Verdict::Twice,
        (_, Ended::Asked) => Verdict::Undecided,
        (1, Ended::Sent) => Verdict::Once,
        // It was sent, it says, and the site knows nothing of it; or it has not ended.
        _ => Verdict::Lost,
    }
}

/// Whether every promise was kept.
pub fn is_good(outcomes: &[Outcome], records: &[Record]) -> bool {
    let mut all = outcomes.iter();
    all.all(|outcome| verdict(outcome, records) == Verdict::Once)
}

/// What went wrong with single replies.
pub fn problems(outcomes: &[Outcome], records: &[Record]) -> Vec<String> {
    let mut problems = Vec::new();
    for outcome in outcomes {
        let of = |what: String| format!("{}: {what} ({:?})", outcome.text, outcome.cell);
        for stage in &outcome.missed {
            problems.push(of(format!("{} was never reached", stage.name())));
        }
        if let Ended::Neither(how) = &outcome.ended {
            problems.push(of(format!("lost: {how}")));
        }
        match verdict(outcome, records) {
            Verdict::Once => {}
            other => problems.push(of(format!("{other:?}"))),
        }
    }
    problems
}

/// The closing line.
pub fn write(f: &mut fmt::Formatter<'_>, outcomes: &[Outcome], records: &[Record]) -> fmt::Result {
    if outcomes.is_empty() {
        return Ok(());
    }
    let kills: usize = outcomes.iter().map(|outcome| outcome.kills).sum();
    let count = |wanted| {
        let all = outcomes.iter();
        all.filter(|outcome| verdict(outcome, records) == wanted).count()
    };
    writeln!(
        f,
        "crash replies: {kills} kills, {} sent twice, {} lost, {} undecided",
        count(Verdict::Twice),
        count(Verdict::Lost),
        count(Verdict::Undecided)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_killed_exactly_as_often_as_asked_for() {
        for kills in [0, 1, 10, 200] {
            let cells = cells(kills, 7);
            assert_eq!(cells.iter().map(|cell| cell.kills.len()).sum::<usize>(), kills);
        }
    }

    #[test]
    fn every_stage_of_a_reply_is_killed_at_where_there_are_kills_enough() {
        let cells = cells(60, 7);
        for wanted in Stage::OF_REPLIES {
            let mut kills = cells.iter().flat_map(|cell| &cell.kills);
            assert!(
                kills.any(|kill| matches!(kill, Kill::At(stage) if *stage == wanted)),
                "{}",
                wanted.name()
            );
        }
    }
}
