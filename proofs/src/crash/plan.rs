//! The kills, their moments, and the expected outcomes. The same seed gives the same plan.
//!
//! A cell is one listing, with the misbehaviour of the site, the kills, and the expected outcome. To cover a new
//! situation, add a variant of [`Script`] or a cell in [`browserless`].

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use vintedbot_marketplace::FillStep;
use vintedbot_worker::Stage;

/// The number of kills at each stage, if there are enough kills.
const AT_EACH_STAGE: usize = 20;

/// The phase in which a kill can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// After `PreparePublish`.
    Prepare,
    /// After `ConfirmPublish`.
    Publish,
    /// After the restart that follows the previous kill.
    Restart,
}

/// One SIGKILL.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    /// When the process halts at this stage.
    At { stage: Stage, from: Phase },
    /// After this fraction of the usual duration of the phase.
    Random { from: Phase, part: f64 },
}

/// The site's misbehaviour for the listing. Times are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    Nothing,
    /// The site publishes and answers with status 500.
    PublishedThen500,
    /// The site publishes and cuts the connection.
    PublishedThenCut,
    /// The site publishes; readings still show the draft for a while.
    PublishedSeenLate,
    /// The site publishes under another id, which lists show late.
    PublishedElsewhereLate,
    /// The site saves the draft and answers with status 500.
    DraftThen500,
    /// The site saves the draft and cuts the connection.
    DraftThenCut,
    /// The site saves the draft; lists show it late.
    DraftListedLate,
    /// The site saves the draft; no list ever shows it.
    DraftNeverListed,
    /// The site publishes under another id, which nothing ever shows.
    Withheld,
    /// Like `Withheld`, and the answer is a status 500.
    WithheldThen500,
    /// Like `Withheld`, and the connection is cut.
    WithheldThenCut,
    /// The site makes the change and answers with status 500.
    ChangedThen500,
    /// The site makes the change and cuts the connection.
    ChangedThenCut,
    /// The site makes the change and cuts the connection; readings show the previous item for a while.
    ChangedSeenLate,
    /// The site cuts the connection and makes no change.
    ChangeLost,
}

impl Script {
    /// The longest delay until the evidence is visible; shorter than the settling window.
    pub const LATE_MS: i64 = 2_000;

    /// Returns the rule for the practice site, for the listing whose title contains this word.
    pub fn rule(self, what: What, title_word: &str) -> Option<Value> {
        let late = Self::LATE_MS;
        let (on, action) = match self {
            Self::Nothing => return None,
            Self::PublishedThen500 => ("publish", json!({"accept_then_500": true})),
            Self::PublishedThenCut => ("publish", json!({"accept_then_cut": true})),
            Self::PublishedSeenLate => ("publish", json!({"delay_visible_ms": late})),
            Self::PublishedElsewhereLate => (
                "publish",
                json!({"new_id_on_publish": true, "list_late_ms": late}),
            ),
            Self::DraftThen500 => ("save_draft", json!({"accept_then_500": true})),
            Self::DraftThenCut => ("save_draft", json!({"accept_then_cut": true})),
            Self::DraftListedLate => ("save_draft", json!({"list_late_ms": late})),
            Self::DraftNeverListed => ("save_draft", json!({"never_list": true})),
            Self::Withheld => ("publish", json!({"new_id_on_publish": true, "never_list": true})),
            Self::WithheldThen500 => {
                let action = json!({"new_id_on_publish": true, "never_list": true, "accept_then_500": true});
                ("publish", action)
            }
            Self::WithheldThenCut => {
                let action = json!({"new_id_on_publish": true, "never_list": true, "accept_then_cut": true});
                ("publish", action)
            }
            Self::ChangedThen500 => (what.operation(), json!({"accept_then_500": true})),
            Self::ChangedThenCut => (what.operation(), json!({"accept_then_cut": true})),
            Self::ChangedSeenLate => {
                let action = json!({"accept_then_cut": true, "delay_visible_ms": late});
                (what.operation(), action)
            }
            Self::ChangeLost => (what.operation(), json!({"reset": true})),
        };
        Some(json!({"on": on, "title_contains": title_word, "times": 1, "do": action}))
    }

    /// Returns whether the site never shows the outcome of the click, so that a person must be asked.
    pub fn withholds(self) -> bool {
        matches!(
            self,
            Self::Withheld | Self::WithheldThen500 | Self::WithheldThenCut
        )
    }

    /// Returns the delay between the click and its visible result.
    pub fn shows_after_ms(self) -> i64 {
        match self {
            Self::PublishedSeenLate | Self::PublishedElsewhereLate | Self::ChangedSeenLate => Self::LATE_MS,
            _ => 0,
        }
    }
}

/// A write on the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Publishes a listing.
    Publish,
    /// Changes the description of an item.
    Edit,
    /// Changes the price of an item.
    Price,
    Hide,
    Delete,
}

/// One listing with its misbehaviour and kills.
#[derive(Clone, Debug)]
pub struct Cell {
    /// A word of the title; it is unique among the cells.
    pub word: String,
    pub what: What,
    /// Whether preparing leaves no draft on the site.
    pub dry_run: bool,
    pub script: Script,
    pub kills: Vec<Kill>,
}

impl What {
    /// Returns the practice site's name of the request that makes the write.
    fn operation(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Edit | Self::Price => "edit_item",
            Self::Hide => "hide_item",
            Self::Delete => "delete_item",
        }
    }
}

/// Returns cells with exactly `kills` kills, for the driver without a browser.
pub fn browserless(kills: usize, seed: u64) -> Vec<Cell> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut cells = Vec::new();
    let stages: Vec<Stage> = Stage::all().collect();
    let rounds = (kills * 6 / 10 / stages.len()).clamp(1, AT_EACH_STAGE);
    for round in 0..rounds {
        // Misbehaviour at the click matters most, so each round contains it.
        cells.extend(stages.iter().map(|stage| at_stage(*stage, round)));
        cells.extend(scripted(round, rounds));
    }
    let mut left = kills;
    cells.retain(|cell| {
        let fits = cell.kills.len() <= left;
        left -= if fits { cell.kills.len() } else { 0 };
        fits
    });
    while left > 0 {
        let cell = at_random(&mut random, left);
        left -= cell.kills.len();
        cells.push(cell);
    }
    named(cells, 'c')
}

/// Returns cells with exactly `kills` kills, for a real browser: every stage in turn, those around the click first.
pub fn browser(kills: usize, seed: u64) -> Vec<Cell> {
    let mut random = StdRng::seed_from_u64(seed ^ 1);
    let first = [
        Stage::PublishClicked,
        Stage::PublishRecorded,
        Stage::PublishIntended,
        Stage::DraftClicked,
    ];
    let stages = first
        .into_iter()
        .chain(Stage::all().filter(|stage| !first.contains(stage)));
    let mut cells: Vec<Cell> = stages.map(|stage| at_stage(stage, 0)).collect();
    let mut left = kills;
    cells.retain(|cell| {
        let fits = cell.kills.len() <= left;
        left -= if fits { cell.kills.len() } else { 0 };
        fits
    });
    while left > 0 {
        let cell = at_random(&mut random, left);
        left -= cell.kills.len();
        cells.push(cell);
    }
    named(cells, 'b')
}

pub(super) fn named(mut cells: Vec<Cell>, letter: char) -> Vec<Cell> {
    for (number, cell) in cells.iter_mut().enumerate() {
        cell.word = format!("{letter}{number:05}");
    }
    cells
}

fn cell(dry_run: bool, script: Script, kills: Vec<Kill>) -> Cell {
    Cell {
        word: String::new(),
        what: What::Publish,
        dry_run,
        script,
        kills,
    }
}

/// Returns a cell with a kill at a stage. Each round uses another way to reach the stage.
fn at_stage(stage: Stage, round: usize) -> Cell {
    let mut ways = Vec::new();
    for dry_run in [true, false] {
        for from in [Phase::Prepare, Phase::Publish] {
            if is_reached(stage, from, dry_run) {
                ways.push(cell(dry_run, Script::Nothing, vec![Kill::At { stage, from }]));
            }
        }
    }
    let reconciling = [
        Stage::SiteRead,
        Stage::Reconciled,
        Stage::LeftoversEnded,
        Stage::Begun,
        Stage::Claimed,
    ];
    if reconciling.contains(&stage) {
        let befores = [
            (Stage::PublishClicked, true),
            (Stage::PublishIntended, false),
            (Stage::DraftClicked, true),
            (Stage::DraftClicked, false),
        ];
        for (before, dry_run) in befores {
            let from = if is_reached(before, Phase::Prepare, dry_run) {
                Phase::Prepare
            } else {
                Phase::Publish
            };
            let first = Kill::At { stage: before, from };
            let second = Kill::At {
                stage,
                from: Phase::Restart,
            };
            ways.push(cell(dry_run, Script::Nothing, vec![first, second]));
        }
    }
    ways.swap_remove(round % ways.len())
}

/// Returns cells with kills right after a write whose answer the site withholds, in turn.
fn scripted(round: usize, rounds: usize) -> Vec<Cell> {
    let clicked = Kill::At {
        stage: Stage::PublishClicked,
        from: Phase::Publish,
    };
    let saved = |dry_run| {
        let from = if dry_run { Phase::Publish } else { Phase::Prepare };
        Kill::At {
            stage: Stage::DraftClicked,
            from,
        }
    };
    let again = |stage| Kill::At {
        stage,
        from: Phase::Restart,
    };
    let of = |script, dry_run| cell(dry_run, script, vec![clicked]);
    let all = [
        of(Script::Withheld, true),
        of(Script::PublishedThen500, false),
        of(Script::WithheldThen500, false),
        of(Script::PublishedSeenLate, true),
        of(Script::WithheldThenCut, true),
        of(Script::PublishedThenCut, true),
        of(Script::PublishedElsewhereLate, false),
        cell(true, Script::DraftListedLate, vec![saved(true)]),
        cell(false, Script::DraftNeverListed, vec![saved(false)]),
        cell(false, Script::DraftThen500, vec![saved(false)]),
        cell(true, Script::DraftThenCut, vec![saved(true)]),
        cell(
            false,
            Script::PublishedThenCut,
            vec![clicked, again(Stage::SiteRead)],
        ),
        cell(true, Script::Withheld, vec![clicked, again(Stage::SiteRead)]),
        cell(
            true,
            Script::PublishedSeenLate,
            vec![clicked, again(Stage::Reconciled)],
        ),
    ];
    // A small number of kills has one round with all of these cells. Otherwise each round has half of them.
    let share = if rounds == 1 { all.len() } else { all.len() / 2 };
    (0..share)
        .map(|number| all[(round * share + number) % all.len()].clone())
        .collect()
}

/// Returns a cell with one or two kills at random moments.
fn at_random(random: &mut StdRng, left: usize) -> Cell {
    let from = if random.random_bool(0.4) {
        Phase::Prepare
    } else {
        Phase::Publish
    };
    let mut kills = vec![Kill::Random {
        from,
        part: random.random_range(0.0..1.1),
    }];
    if left > 1 && random.random_bool(0.3) {
        kills.push(Kill::Random {
            from: Phase::Restart,
            part: random.random_range(0.0..1.0),
        });
    }
    let script = match random.random_range(0..10) {
        0 => Script::PublishedSeenLate,
        1 => Script::DraftListedLate,
        _ => Script::Nothing,
    };
    cell(random.random_bool(0.5), script, kills)
}

/// Returns whether an attempt that begins in this phase reaches a stage.
pub fn is_reached(stage: Stage, phase: Phase, dry_run: bool) -> bool {
    // The attempt at preparing saves the draft if it is to stay on the site, otherwise the attempt at publishing does.
    let saves = dry_run == (phase == Phase::Publish);
    match stage {
        Stage::Claimed
        | Stage::Begun
        | Stage::FormSessionRecorded
        | Stage::FormSessionStarted
        | Stage::LeftoversEnded => true,
        Stage::Fill(
            FillStep::SignedIn | FillStep::FormOpened | FillStep::ReadBack | FillStep::ScreenshotTaken,
        ) => true,
        Stage::Fill(_) => phase == Phase::Prepare || dry_run,
        Stage::DraftIntended | Stage::DraftClicked | Stage::DraftRecorded => saves,
        Stage::PreparedUnrecorded => phase == Phase::Prepare,
        Stage::WardrobeRead | Stage::PublishIntended | Stage::PublishClicked | Stage::PublishRecorded => {
            phase == Phase::Publish
        }
        Stage::SiteRead | Stage::Reconciled => false,
        Stage::ConversationRead | Stage::ReplyIntended | Stage::ReplySent | Stage::ReplyRecorded => false,
        Stage::WebhooksWritten | Stage::WebhookClaimed | Stage::WebhookSent | Stage::WebhookRecorded => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_has_the_requested_kills_and_covers_every_stage() {
        for kills in [50, 60, 1_000] {
            let cells = browserless(kills, 7);
            assert_eq!(cells.iter().map(|cell| cell.kills.len()).sum::<usize>(), kills);
            for stage in Stage::all() {
                let at = cells.iter().flat_map(|cell| &cell.kills);
                let at = at
                    .filter(|kill| matches!(kill, Kill::At { stage: each, .. } if *each == stage))
                    .count();
                assert!(
                    at >= if kills == 1_000 { AT_EACH_STAGE } else { 1 },
                    "{stage:?}: {at} of {kills}"
                );
            }
        }
        for kills in [0, 1, 2, 30] {
            assert_eq!(
                browser(kills, 7)
                    .iter()
                    .map(|cell| cell.kills.len())
                    .sum::<usize>(),
                kills
            );
        }
    }

    #[test]
    fn same_seed_makes_the_same_plan() {
        assert_eq!(
            format!("{:?}", browserless(300, 3)),
            format!("{:?}", browserless(300, 3))
        );
    }
}
