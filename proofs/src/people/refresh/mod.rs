//! Many interleavings of honest refreshes and a replay, on the domain in this process with scripted time. Most of them
//! run on SQLite, a part on PostgreSQL.

mod interleaving;
mod template;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;

use crate::postgres::Postgres;
use interleaving::Harm;
use template::{SESSIONS, Template};

/// The rules that the interleavings test.
pub const RULES: [&str; 2] = ["refresh_grace", "refresh_reuse"];
/// One in this many batches runs on PostgreSQL.
const POSTGRES_EVERY: u64 = 10;
/// The number of harmful interleavings that are printed. More would add no information.
const SHOWN: u64 = 10;

/// The counts of all interleavings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub interleavings: u64,
    /// Honest clients that lost their session.
    pub killed: u64,
    /// Replays that were not detected or did not end the session.
    pub replayed: u64,
}

/// What the workers share.
struct Plan {
    sqlite: Template,
    postgres: Template,
    first: u64,
    end: u64,
    next_batch: AtomicU64,
    shown: AtomicU64,
}

/// Plays the interleavings with the seeds `first..first + count` on every core.
pub async fn run(first: u64, count: u64) -> Result<Totals> {
    let server = Postgres::own().await?;
    let plan = Arc::new(Plan {
        sqlite: Template::on_sqlite().await?,
        postgres: Template::on_postgres(&server.url()).await?,
        first,
        end: first + count,
        next_batch: AtomicU64::new(first / SESSIONS),
        shown: AtomicU64::new(0),
    });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = (0..cores).map(|_| tokio::spawn(work(Arc::clone(&plan))));
    let workers: Vec<_> = workers.collect();
    let mut totals = Totals::default();
    for part in try_join_all(workers).await? {
        let part = part?;
        totals.interleavings += part.interleavings;
        totals.killed += part.killed;
        totals.replayed += part.replayed;
    }
    server.stop().await?;
    Ok(totals)
}

/// Plays batches until none is left.
async fn work(plan: Arc<Plan>) -> Result<Totals> {
    let mut totals = Totals::default();
    loop {
        // A batch contains fixed seeds, so that a seed runs on the same engine in every run.
        let number = plan.next_batch.fetch_add(1, Ordering::SeqCst);
        let begin = number * SESSIONS;
        if begin >= plan.end {
            return Ok(totals);
        }
        let template = if number.is_multiple_of(POSTGRES_EVERY) {
            &plan.postgres
        } else {
            &plan.sqlite
        };
        let batch = template.copy(number).await?;
        for (seed, session) in (begin..plan.end.min(begin + SESSIONS)).zip(&template.sessions) {
            if seed < plan.first {
                continue;
            }
            totals.interleavings += 1;
            let harm = match interleaving::play(&batch.context, session, seed).await {
                Ok(()) => continue,
                Err(Harm::Killed(text)) => {
                    totals.killed += 1;
                    text
                }
                Err(Harm::Replayed(text)) => {
                    totals.replayed += 1;
                    text
                }
                Err(Harm::Failed(error)) => return Err(error).with_context(|| format!("seed {seed}")),
            };
            if plan.shown.fetch_add(1, Ordering::SeqCst) < SHOWN {
                let engine = template.engine();
                println!("  seed {seed} on {engine}: {harm}; again: SEED={seed} INTERLEAVINGS=1 make people");
            }
        }
        batch.close().await?;
    }
}
