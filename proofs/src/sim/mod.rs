//! The simulation: the production functions for due jobs, claims, intents, outcomes and reconciliation, and the
//! production worker around them, on a database with scripted time. A process may die at every statement, commit and
//! request. The queue loses, repeats and forgets job notifications, like Redis.
//!
//! On SQLite in memory, a seed always gives the same run. On PostgreSQL, other processes also act between the
//! statements of a transaction and wait for each other's locks, so a seed gives nearly the same run.

mod actor;
mod base;
pub(crate) mod clock;
mod inbox;
mod market;
mod queue;
mod site;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use sea_orm::{ConnectionTrait as _, Database, DbBackend};
use url::Url;

pub use world::Report;

use crate::postgres::Postgres;
use base::Base;

/// The number of failing seeds that are printed. More would add no information.
const SHOWN: u64 = 10;

/// The counts of all runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub seeds: u64,
    pub twice: u64,
    pub lost: u64,
    pub undecided: u64,
}

/// Runs the seeds `first..first + count` on every core, on SQLite.
///
/// # Errors
///
/// Fails if a run could not be set up, or if an attempt failed with an unexpected error.
pub fn run(first: u64, count: u64) -> Result<Totals> {
    run_on(None, first, count)
}

/// Does the same on a new PostgreSQL server.
///
/// # Errors
///
/// Fails like [`run`], or if PostgreSQL is not installed.
pub fn run_on_postgres(first: u64, count: u64) -> Result<Totals> {
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(Postgres::own())?;
    let totals = run_on(Some(&server.url()), first, count);
    runtime.block_on(server.stop())?;
    totals
}

fn run_on(server: Option<&str>, first: u64, count: u64) -> Result<Totals> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let next = Arc::new(AtomicU64::new(first));
    let shown = Arc::new(AtomicU64::new(0));
    let handles: Vec<_> = (0..threads.min(count))
        .map(|number| {
            let (next, shown) = (Arc::clone(&next), Arc::clone(&shown));
            let database = server.map(|url| (url.to_owned(), format!("simulation_{number}")));
            std::thread::spawn(move || thread(database, &next, first + count, &shown))
        })
        .collect();
    let mut totals = Totals::default();
    for handle in handles {
        let part = handle
            .join()
            .map_err(|_| anyhow::anyhow!("a simulating thread panicked"))??;
        totals.seeds += part.seeds;
        totals.twice += part.twice;
        totals.lost += part.lost;
        totals.undecided += part.undecided;
    }
    Ok(totals)
}

fn thread(
    database: Option<(String, String)>,
    next: &AtomicU64,
    end: u64,
    shown: &AtomicU64,
) -> Result<Totals> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let base = match database {
            None => Base::make(None).await?,
            Some((server, name)) => Base::make(Some(&create(&server, &name).await?)).await?,
        };
        let mut totals = Totals::default();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end {
                return Ok(totals);
            }
            let report = world::run(&base, seed)
                .await
                .with_context(|| format!("seed {seed}"))?;
            totals.seeds += 1;
            totals.twice += u64::from(report.twice);
            totals.lost += u64::from(report.lost);
            totals.undecided += u64::from(report.undecided);
            if report.twice + report.lost + report.undecided > 0
                && shown.fetch_add(1, Ordering::SeqCst) < SHOWN
            {
                let how = match base.context.store.backend() {
                    DbBackend::Postgres => "ENGINE=postgres make sim",
                    _ => "make sim",
                };
                println!("seed {seed}: {report:?}; examine it with SIM_TRACE=1 SEED={seed} SEEDS=1 {how}");
            }
        }
    })
}

/// Creates a database with this name on the server. Returns its URL.
async fn create(server: &str, name: &str) -> Result<String> {
    let connection = Database::connect(server).await?;
    connection
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await?;
    connection.close().await?;
    let mut url = Url::parse(server)?;
    url.set_path(name);
    Ok(url.into())
}
