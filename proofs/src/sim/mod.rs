//! The simulation: the production functions of due, claim, gate, outcome and reconcile, and the production worker around
//! them, over a database with scripted time. A process may die at every statement, commit and request, and the queue that
//! rings for its jobs loses, repeats and forgets as a Redis does.
//!
//! On SQLite, in memory, a seed always goes the same way. On PostgreSQL other processes act between the statements of a
//! transaction too, and wait for each other's locks, so that a seed goes nearly the same way.

mod actor;
mod base;
mod clock;
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

/// Failing seeds that are named; more of them say nothing more.
const SHOWN: u64 = 10;

/// What all runs came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub seeds: u64,
    pub twice: u64,
    pub lost: u64,
    pub undecided: u64,
}

/// Runs seeds `first..first + count` on every core, on SQLite.
///
/// # Errors
///
/// A run could not be made, or an attempt failed in a way that no attempt may.
pub fn run(first: u64, count: u64) -> Result<Totals> {
    run_on(None, first, count)
}

/// The same on a PostgreSQL server of its own.
///
/// # Errors
///
/// The same, or there is no PostgreSQL.
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
                let how = match base.domain.store.backend() {
                    DbBackend::Postgres => "ENGINE=postgres make sim",
                    _ => "make sim",
                };
                println!("seed {seed}: {report:?}; look into it with SIM_TRACE=1 SEED={seed} SEEDS=1 {how}");
            }
        }
    })
}

/// Makes a database of that name at the server. Returns its URL.
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
