//! Database metrics for operators: a few counts, each read by one query that an index answers.
//!
//! They cover the whole instance and not single workspaces. Labels contain no names or ids, so that their number is
//! bounded.

use sea_orm::{ConnectionTrait, Iterable as _, Statement};

use crate::clock::Millis;
use crate::publishing::{EffectKind, EffectState};
use crate::store::{Reader, Store};
use crate::{Result, jobs};

/// Counts by two labels. Combinations without a row are included with 0.
pub type Counts = Vec<(String, String, i64)>;

/// The metrics at the time of the query.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Jobs by kind and state: queued, running and dead.
    pub jobs: Counts,
    /// Milliseconds since the earliest queued job became due.
    pub overdue_ms: Millis,
    /// Effects by kind and state.
    pub effects: Counts,
    /// Form sessions, with and without a browser, that are not known to have ended.
    pub listing_form_sessions: i64,
    /// Open workers with a fresh heartbeat.
    pub workers: i64,
    /// Inboxes that are synchronized.
    pub inboxes: i64,
    /// Inboxes whose synchronization is late.
    pub late_inboxes: i64,
    /// Milliseconds since the inbox with the oldest reading was read.
    pub stalest_inbox_ms: Millis,
    /// Pending webhook deliveries.
    pub pending_deliveries: i64,
    /// Files that are marked for deletion in the media store.
    pub file_removals: i64,
}

/// The job states that are counted. Waiting jobs need no work; retention removes jobs in the other states.
const STATES: [jobs::State; 3] = [jobs::State::Queued, jobs::State::Running, jobs::State::Dead];

/// Reads all metrics.
///
/// # Errors
/// The database failed.
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
    let [listing_form_sessions] = numbers(
        reader,
        "SELECT COUNT(*) AS n0 FROM listing_form_sessions WHERE state = 'OPEN'",
    )
    .await?;
    let workers = jobs::count_live(reader, now).await?;
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
        listing_form_sessions: listing_form_sessions.unwrap_or_default(),
        workers: i64::try_from(workers).unwrap_or(i64::MAX),
        inboxes: inboxes.unwrap_or_default(),
        late_inboxes: late_inboxes.unwrap_or_default(),
        stalest_inbox_ms: since(stalest),
        pending_deliveries: deliveries.unwrap_or_default(),
        file_removals: removals.unwrap_or_default(),
    })
}

/// Returns the stored name of an enum value.
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
        // Values that a newer version wrote are not counted, so that the labels stay bounded.
        let known = found.iter_mut().find(|(a, b, _)| *a == first && *b == second);
        if let Some(count) = known {
            count.2 = row.try_get("", "n")?;
        }
    }
    Ok(found)
}

/// Reads the columns `n0`, `n1`, ... of a query's only row.
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
