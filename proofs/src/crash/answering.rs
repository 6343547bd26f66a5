//! Kills while a reply is sent, and the outcome of each reply by the site's records.

use std::fmt;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use vintedbot_worker::Stage;

use crate::records::{Record, What as Recorded};

/// The site's misbehaviour for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    Nothing,
    /// The site accepts the reply and answers with status 500.
    TakenThen500,
    /// The site accepts the reply and cuts the connection.
    TakenThenCut,
    /// The site accepts the reply, cuts the connection, and shows the message late.
    TakenSeenLate,
    /// The site accepts the reply and omits the message id from the answer.
    TakenWithoutId,
    /// The site cuts the connection and accepts nothing.
    Lost,
}

impl Script {
    /// Returns the rule for the practice site, for the reply whose text contains this word.
    pub fn rule(self, word: &str) -> Option<Value> {
        let action = match self {
            Self::Nothing => return None,
            Self::TakenThen500 => json!({"accept_then_500": true}),
            Self::TakenThenCut => json!({"accept_then_cut": true}),
            // Shorter than the settling window.
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
    /// After this fraction of the usual duration of a reply.
    Random(f64),
}

/// One reply, with the misbehaviour of the site and the kills that affect it.
#[derive(Clone, Debug)]
pub struct Cell {
    pub script: Script,
    pub kills: Vec<Kill>,
}

/// The end of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The reply is reported as sent.
    Sent,
    /// A person is asked.
    Asked,
    /// Neither in time; the text holds the last known state.
    Neither(String),
}

/// The outcome of a reply.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub cell: Cell,
    /// The text of the reply; it is unique.
    pub text: String,
    pub kills: usize,
    /// Stages at which a kill was planned, but which were not reached.
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

/// Returns cells with exactly `kills` kills: every stage in turn, each misbehaviour, and random moments.
pub fn cells(kills: usize, seed: u64) -> Vec<Cell> {
    use Stage::{Claimed, ConversationRead, Reconciled, ReplyIntended, ReplyRecorded, ReplySent};
    let cell = |script, at: &[Stage]| Cell {
        script,
        kills: at.iter().map(|stage| Kill::At(*stage)).collect(),
    };
    // The most important cells come first, for small numbers of kills.
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
            // Reconciliation runs only for a reply in doubt, so its stage is excluded.
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

/// Returns how often the site accepted a reply.
fn taken(records: &[Record], text: &str) -> usize {
    let is_it = |record: &&Record| matches!(&record.what, Recorded::Reply(reply) if reply.body == text);
    records.iter().filter(is_it).count()
}

fn verdict(outcome: &Outcome, records: &[Record]) -> Verdict {
    match (taken(records, &outcome.text), &outcome.ended) {
        (2.., _) => Verdict::Twice,
        (_, Ended::Asked) => Verdict::Undecided,
        (1, Ended::Sent) => Verdict::Once,
        // The reply is reported as sent, but the site has no record of it; or it has not ended.
        _ => Verdict::Lost,
    }
}

/// Returns whether every reply was sent exactly once.
pub fn is_good(outcomes: &[Outcome], records: &[Record]) -> bool {
    let mut all = outcomes.iter();
    all.all(|outcome| verdict(outcome, records) == Verdict::Once)
}

/// Returns the problems with single replies.
pub fn problems(outcomes: &[Outcome], records: &[Record]) -> Vec<String> {
    let mut problems = Vec::new();
    for outcome in outcomes {
        let of = |what: String| format!("{}: {what} ({:?})", outcome.text, outcome.cell);
        for stage in &outcome.missed {
            problems.push(of(format!("{} was not reached", stage.name())));
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

/// Writes the closing line.
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
    fn replies_get_exactly_the_requested_kills() {
        for kills in [0, 1, 10, 200] {
            let cells = cells(kills, 7);
            assert_eq!(cells.iter().map(|cell| cell.kills.len()).sum::<usize>(), kills);
        }
    }

    #[test]
    fn enough_kills_cover_every_reply_stage() {
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
