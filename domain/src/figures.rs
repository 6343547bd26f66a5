//! What an operator watches of the database: a handful of counts, each read by one query that an index answers.
//!
//! They are of the whole instance, never of one owner: no name and no id is among them, so that their number is bounded.

use sea_orm::{ConnectionTrait, Iterable as _, Statement};

use crate::clock::Millis;
use crate::publishing::{EffectKind, EffectState};
use crate::store::{Reader, Store};
use crate::{Result, jobs};

/// How many there are of each combination of two names; those of which there are none too.
pub type Counts = Vec<(String, String, i64)>;

/// Everything, as of now.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Jobs by kind and state: those that are to be done, those at work, and those that were given up.
    pub jobs: Counts,
    /// How long the job that is due longest has been waiting for a worker.
    pub overdue_ms: Millis,
    /// Effects by kind and outcome.
    pub effects: Counts,
    /// Browsers and attempts without one that are not known to have ended.
    pub composers: i64,
    /// Workers that have not closed and were heard of lately.
    pub workers: i64,
    /// Inboxes that are read, how many of them are late, and how long ago the stalest was read.
    pub inboxes: i64,
    pub late_inboxes: i64,
    pub stalest_inbox_ms: Millis,
    /// Webhook deliveries that are yet to be made.
    pub pending_deliveries: i64,
    /// Files that are to be removed from the media store.
    pub file_removals: i64,
}

/// States of jobs that are counted: the others are a record that retention clears away.
const STATES: [jobs::State; 3] = [jobs::State::Queued, jobs::State::Running, jobs::State::Dead];

/// Reads all figures.
///
/// # Errors
/// The database's.
pub async fn read(store: &Store) -> Result<Figures> {
    let (reader, now) = (store.reader(), store.now().await?);
    let by_kind = |state: &str| {
        format!(
            "SELECT kind AS a, '{state}' AS b, COUNT(*) AS n FROM jobs WHERE state = '{state}' GROUP BY kind"
        )
    };
    let job_states: Vec<_> = STATES.iter().map(value).collect();
    let of_jobs = job_states.iter().map(|state| by_kind(state)).collect::<Vec<_>>();
    let kinds: Vec<_> = jobs::Kind::iter().map(|kind| value(&kind)).collect();
    let effect_kinds: Vec<_> = EffectKind::iter().map(|kind| value(&kind)).collect();
    let outcomes: Vec<_> = EffectState::iter().map(|state| value(&state)).collect();
    let of_effects = "SELECT kind AS a, state AS b, COUNT(*) AS n FROM effects GROUP BY kind, state";
    let [due] = numbers(
        reader,
        "SELECT MIN(due_time) AS n0 FROM jobs WHERE state = 'QUEUED'",
    )
    .await?;
    let [inboxes, late_inboxes, stalest] = numbers(
        reader,
        "SELECT COUNT(*) AS n0, COUNT(late_reason) AS n1, MIN(last_read_time) AS n2 FROM inbox_syncs",
    )
    .await?;
    let [composers] = numbers(
        reader,
        "SELECT COUNT(*) AS n0 FROM composers WHERE state = 'OPEN'",
    )
    .await?;
    let workers = jobs::count_living(reader, now).await?;
    let [deliveries] = numbers(
        reader,
        "SELECT COUNT(*) AS n0 FROM webhook_deliveries WHERE state = 'PENDING'",
    )
    .await?;
    let [removals] = numbers(reader, "SELECT COUNT(*) AS n0 FROM file_removals").await?;
    let since = |time: Option<i64>| time.map_or(0, |time| (now - time).max(0));
    Ok(Figures {
        jobs: counts(reader, &of_jobs.join(" UNION ALL "), &kinds, &job_states).await?,
        overdue_ms: since(due),
        effects: counts(reader, of_effects, &effect_kinds, &outcomes).await?,
        composers: composers.unwrap_or_default(),
        workers: i64::try_from(workers).unwrap_or(i64::MAX),
        inboxes: inboxes.unwrap_or_default(),
        late_inboxes: late_inboxes.unwrap_or_default(),
        stalest_inbox_ms: since(stalest),
        pending_deliveries: deliveries.unwrap_or_default(),
        file_removals: removals.unwrap_or_default(),
    })
}

/// The name under which an enum's value stands in the database.
fn value(value: &impl sea_orm::ActiveEnum<Value = String>) -> String {
    value.to_value()
}

async fn counts(reader: &Reader, sql: &str, firsts: &[String], seconds: &[String]) -> Result<Counts> {
    let mut found: Counts = firsts
        .iter()
        .flat_map(|first| {
            seconds
                .iter()
                .map(move |second| (first.clone(), second.clone(), 0))
        })
        .collect();
    let statement = Statement::from_string(reader.get_database_backend(), sql);
    for row in reader.query_all_raw(statement).await? {
        let (first, second): (String, String) = (row.try_get("", "a")?, row.try_get("", "b")?);
        // What a newer program writes is not counted by this one, so that there are no names that it does not know.
        let known = found.iter_mut().find(|(a, b, _)| *a == first && *b == second);
        if let Some(count) = known {
            count.2 = row.try_get("", "n")?;
        }
    }
    Ok(found)
}

/// The columns `n0`, `n1`, ... of a query's only row.
async fn numbers<const N: usize>(reader: &Reader, sql: &str) -> Result<[Option<i64>; N]> {
    let statement = Statement::from_string(reader.get_database_backend(), sql);
    let mut found = [None; N];
    if let Some(row) = reader.query_one_raw(statement).await? {
        for (at, number) in found.iter_mut().enumerate() {
            *number = row.try_get("", &format!("n{at}"))?;
        }
    }
    Ok(found)
}
