//! Runs many sellers and watchers on one instance. Measures the durations of calls, refused calls, lost events and
//! memory growth. Then increases the number of simultaneous calls until a limit is reached.
//!
//! Every seller is a workspace with its own account. [`workspaces`] creates them, [`seller`] runs one, [`watchers`]
//! hold streams and count events, [`strain`] finds the first limit, and [`report`] prints the results.

mod report;
mod seller;
mod strain;
mod watchers;
pub(crate) mod workspaces;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

pub use report::Report;

use crate::bench::process::{raise_open_files, resident_kib};
use crate::instance::{Browser, Instance, Practice, Setup};
use report::Calls;
use seller::Seller;
use watchers::Watchers;

/// The options of the load proof.
#[derive(Clone, Debug)]
pub struct Options {
    pub sellers: usize,
    pub watchers: usize,
    pub time: Duration,
    pub seed: u64,
    /// The URL of an empty PostgreSQL database; empty means SQLite.
    pub database_url: String,
}

/// The interval between two readings of memory.
const LOOK: Duration = Duration::from_secs(1);
/// The time in which the last event must reach every watcher.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// Loads a new instance in `folder`.
///
/// # Errors
///
/// Fails if a process does not start or a seller cannot begin.
pub async fn run(options: &Options, folder: &Path) -> Result<Report> {
    raise_open_files();
    let practice = Practice::start(&folder.join("records.jsonl")).await?;
    let mut instance = Instance::new(Setup {
        data_dir: folder.join("data"),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Off,
        settings: settings(options),
    })?;
    // The first start creates the database.
    instance.start().await?;
    instance.stop().await?;
    let url = match options.database_url.as_str() {
        "" => format!("sqlite://{}", instance.database().display()),
        url => url.to_owned(),
    };
    let secrets = workspaces::make(&url, options.sellers).await?;
    instance.start().await?;
    let report = load(options, &instance, &practice, &secrets).await;
    instance.stop().await?;
    practice.stop().await?;
    report
}

fn settings(options: &Options) -> Vec<(String, String)> {
    let own = [
        ("LOG", "warn"),
        ("BROWSER_PACING", "0ms"),
        // Other tests cover the budgets.
        ("PUBLISH_PER_MINUTE", "100000"),
        ("PUBLISH_PER_MINUTE_ACCOUNT", "100000"),
        ("REPLIES_PER_MINUTE_ACCOUNT", "100000"),
        ("SYNC_NOW_PER_MINUTE", "100000"),
        ("UPLOADS_PER_MINUTE", "100000"),
        ("REPLIES_UNDO", "0ms"),
        // All sellers and watchers come from one address.
        ("MAX_CONNECTIONS", "20000"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "20000"),
        ("MAX_CALLS_PER_WORKSPACE", "20000"),
        ("CONCURRENCY", "8"),
        ("DATABASE_URL", &options.database_url),
    ];
    own.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

async fn load(
    options: &Options,
    instance: &Instance,
    practice: &Practice,
    secrets: &[String],
) -> Result<Report> {
    let pid = instance.pid().context("the process does not run")?;
    let calls = Arc::new(Calls::default());
    let url = instance.url();
    let sellers = secrets.iter().enumerate().map(|(number, secret)| {
        let random = StdRng::seed_from_u64(options.seed + number as u64);
        Seller::begin(&url, secret, practice.site.clone(), Arc::clone(&calls), random)
    });
    let sellers = try_join_all(sellers).await?;
    calls.forget();
    let mut watchers = Watchers::default();
    for (number, seller) in sellers.iter().enumerate() {
        let share = options.watchers / sellers.len() + usize::from(number < options.watchers % sellers.len());
        watchers.open(seller.client(), share).await?;
    }

    let ends = CancellationToken::new();
    let at_work = sellers
        .into_iter()
        .map(|seller| tokio::spawn(seller.work(ends.clone())));
    let at_work: Vec<_> = at_work.collect();
    let memory = watch_memory(pid, options.time).await?;
    ends.cancel();
    let sellers = try_join_all(at_work).await?;
    // Events that have not arrived by then are counted as lost.
    if let Ok(arrived) = timeout(ARRIVES_WITHIN, watchers.arrived(&sellers)).await {
        arrived?;
    }
    let missing = watchers.behind();
    let (events, gaps) = (watchers.events(), watchers.gaps());
    let streams = watchers.count();
    drop(watchers);
    let (rows, refused) = calls.rows();
    ensure!(!rows.is_empty(), "no calls were made");
    Ok(Report {
        sellers: sellers.len(),
        watchers: streams,
        time: options.time,
        rows,
        refused,
        events,
        lost: missing + gaps,
        memory,
        strain: strain::measure(&sellers, pid).await?,
    })
}

/// Returns the resident memory of the process at regular intervals, in KiB.
async fn watch_memory(pid: u32, time: Duration) -> Result<Vec<u64>> {
    let until = Instant::now() + time;
    let mut looks = interval(LOOK);
    let mut memory = Vec::new();
    while Instant::now() < until {
        looks.tick().await;
        memory.push(resident_kib(pid)?);
    }
    Ok(memory)
}
