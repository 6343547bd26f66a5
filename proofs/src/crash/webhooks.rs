//! Kills while events are sent to a receiver, and the arrivals by the receiver's own record.
//!
//! An instance has two endpoints, one of them ordered, both at a receiver in this process that only records requests.
//! While events are created, the instance is killed at each stage and at random. Afterwards, its event log is compared
//! with the arrivals: each event must have arrived at both endpoints. It may arrive several times, but always with the
//! same `webhook-id`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rusqlite::{Connection, OpenFlags};
use tokio::time::{Instant, sleep};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::{CreateEndpointRequest, WebhookEndpoint};
use vintedbot_worker::Stage;

use super::victim::{Pace, Victim};
use crate::instance::Browser;
use crate::receiver::Receiver;
use crate::records::Site;

/// The number of kills in a round; each round has a new instance.
const KILLS_PER_ROUND: usize = 25;
/// The number of events between two kills.
const HAPPENINGS: usize = 4;
/// The time limit until a stage is reached; a lease must expire first.
const HALTS_WITHIN: Duration = Duration::from_secs(15);
/// The time limit until all events have arrived after the last kill.
const ARRIVES_WITHIN: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The longest delay of a random kill, in milliseconds; most events are sent by then.
const RANDOM_MS: u64 = 120;
const PATHS: [&str; 2] = ["/free", "/ordered"];
/// The only event type to which the endpoints subscribe.
const TYPE: &str = "template_created";

/// One SIGKILL.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    At(Stage),
    /// This many milliseconds after the last event.
    Random(u64),
}

/// The outcome of a round.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    kills: usize,
    events: usize,
    repeats: usize,
    /// Events that did not arrive at an endpoint.
    lost: Vec<String>,
    problems: Vec<String>,
}

/// Returns rounds with exactly `kills` kills in total: every stage in turn, and random moments between them.
pub fn rounds(kills: usize, seed: u64) -> Vec<Vec<Kill>> {
    let mut random = StdRng::seed_from_u64(seed ^ 5);
    let all: Vec<Kill> = (0..kills)
        .map(|number| match number % 2 {
            0 => Kill::At(Stage::OF_WEBHOOKS[number / 2 % Stage::OF_WEBHOOKS.len()]),
            _ => Kill::Random(random.random_range(0..RANDOM_MS)),
        })
        .collect();
    all.chunks(KILLS_PER_ROUND).map(<[Kill]>::to_vec).collect()
}

/// Makes the kills of one round and compares the event log with the arrivals.
pub async fn round(folder: &Path, site: &Site, failpoints: &str, kills: &[Kill]) -> Result<Outcome> {
    let receiver = Receiver::open().await?;
    let mut victim = Victim::start(folder, site.url(), Browser::Off, Pace::BROWSERLESS, failpoints).await?;
    for path in PATHS {
        let request = CreateEndpointRequest {
            endpoint: Some(WebhookEndpoint {
                url: format!("http://{}{path}", receiver.address),
                event_types: vec![TYPE.to_owned()],
                ordered: path == "/ordered",
                ..Default::default()
            }),
            ..Default::default()
        };
        victim.client.webhooks().create_with(request).await?;
    }
    let mut outcome = Outcome::default();
    for kill in kills {
        let armed = match kill {
            Kill::At(stage) => Some(*stage),
            Kill::Random(_) => None,
        };
        if armed.is_some() {
            victim.stop().await?;
            victim.restart(armed).await?;
        }
        happen(&victim).await;
        match kill {
            Kill::Random(after) => sleep(Duration::from_millis(*after)).await,
            Kill::At(stage) => {
                let deadline = Instant::now() + HALTS_WITHIN;
                while !victim.is_halted() && Instant::now() < deadline {
                    sleep(LOOK_EVERY).await;
                }
                if !victim.is_halted() {
                    outcome.problems.push(format!("{} was not reached", stage.name()));
                }
            }
        }
        victim.kill().await?;
        outcome.kills += 1;
        victim.restart(None).await?;
    }
    happen(&victim).await;
    let deadline = Instant::now() + ARRIVES_WITHIN;
    loop {
        compare(&victim.database(), &receiver, &mut outcome)?;
        if outcome.lost.is_empty() || Instant::now() > deadline {
            break;
        }
        sleep(LOOK_EVERY * 10).await;
    }
    victim.stop().await?;
    compare(&victim.database(), &receiver, &mut outcome)?;
    Ok(outcome)
}

/// Creates events. A failed call may have created one; the event log decides.
async fn happen(victim: &Victim) {
    for _ in 0..HAPPENINGS {
        drop(victim.client.templates().create(SystemIds.id(), "Hello").await);
    }
}

/// Compares the event log with the arrivals.
fn compare(database: &Path, receiver: &Receiver, outcome: &mut Outcome) -> Result<()> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = connection
        .prepare("SELECT sequence FROM events WHERE kind = 'TEMPLATE_CREATED' ORDER BY sequence")?;
    let happened = statement
        .query_map([], |row| row.get::<_, i64>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    ensure!(!happened.is_empty(), "there are no events");
    let arrived = receiver.arrived();
    outcome.events = happened.len() * PATHS.len();
    outcome.repeats = arrived.len();
    outcome.lost.clear();
    let mut ids: BTreeMap<(&str, i64), BTreeSet<&str>> = BTreeMap::new();
    for one in arrived.iter() {
        ids.entry((one.path.as_str(), one.sequence()))
            .or_default()
            .insert(one.id());
    }
    for path in PATHS {
        for sequence in &happened {
            match ids.get(&(path, *sequence)).map(BTreeSet::len) {
                Some(1) => {}
                None | Some(0) => outcome
                    .lost
                    .push(format!("event {sequence} did not arrive at {path}")),
                Some(_) => {
                    let changed = format!("event {sequence} arrived at {path} with several ids");
                    if !outcome.problems.contains(&changed) {
                        outcome.problems.push(changed);
                    }
                }
            }
        }
    }
    let all: BTreeSet<_> = ids.values().flatten().collect();
    let distinct = ids.values().map(BTreeSet::len).sum::<usize>();
    if all.len() != distinct {
        outcome
            .problems
            .push("two events arrived with the same id".to_owned());
    }
    outcome.repeats -= ids.len();
    Ok(())
}

/// Returns all problems. Every guarantee held if the list is empty.
pub fn problems(outcomes: &[Outcome]) -> Vec<String> {
    let all = outcomes
        .iter()
        .flat_map(|outcome| outcome.problems.iter().chain(&outcome.lost));
    all.map(|problem| format!("webhooks: {problem}")).collect()
}

/// Writes the closing line.
pub fn write(f: &mut fmt::Formatter<'_>, outcomes: &[Outcome]) -> fmt::Result {
    if outcomes.is_empty() {
        return Ok(());
    }
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    writeln!(
        f,
        "webhooks: {} events to be sent, {} repeats",
        sum(|one| one.events),
        sum(|one| one.repeats)
    )?;
    writeln!(
        f,
        "crash webhooks: {} kills, {} lost",
        sum(|one| one.kills),
        sum(|one| one.lost.len())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_get_the_requested_kills_at_every_stage() {
        for kills in [0, 1, 10, 200] {
            assert_eq!(rounds(kills, 7).iter().map(Vec::len).sum::<usize>(), kills);
        }
        let all: Vec<_> = rounds(10, 7).concat();
        for wanted in Stage::OF_WEBHOOKS {
            assert!(
                all.iter()
                    .any(|kill| matches!(kill, Kill::At(stage) if *stage == wanted))
            );
        }
    }
}
