//! Many sellers and their watchers at one instance, for a while: what calls take, whether anything is refused or lost, whether
//! memory stays where it is; and then ever more calls at once, until something gives.
//!
//! Every seller is an owner with an account of their own. [`owners`] makes them, [`seller`] is what one does, [`watchers`] hold
//! streams and count what comes, [`strain`] looks for what gives first, and [`report`] is what is printed.

pub(crate) mod owners;
mod report;
mod seller;
mod strain;
mod watchers;

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

/// What to put on the instance.
#[derive(Clone, Debug)]
pub struct Options {
    pub sellers: usize,
    pub watchers: usize,
    pub time: Duration,
    pub seed: u64,
    /// Empty: SQLite.
    pub database_url: String,
}

/// Memory is looked at so often.
const LOOK: Duration = Duration::from_secs(1);
/// What was said last is to have reached every watcher within this.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// Loads an instance of its own in `folder`.
///
/// # Errors
///
/// Something could not be started, or a seller could not begin.
pub async fn run(options: &Options, folder: &Path) -> Result<Report> {
    raise_open_files();
    let practice = Practice::start(&folder.join("records.jsonl")).await?;
    let mut instance = Instance::new(Setup {
        data_dir: folder.join("data"),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Off,
        settings: settings(options),
    })?;
    // The first start makes the database.
    instance.start().await?;
    instance.stop().await?;
    let url = match options.database_url.as_str() {
        "" => format!("sqlite://{}", instance.database().display()),
        url => url.to_owned(),
    };
    let secrets = owners::make(&url, options.sellers).await?;
    instance.start().await?;
    let report = load(options, &instance, &practice, &secrets).await;
    instance.stop().await?;
    practice.stop().await?;
    report
}

fn settings(options: &Options) -> Vec<(String, String)> {
    let own = [
        ("LOG", "warn"),
        ("PACING_MS", "0"),
        // Budgets have a test of their own.
        ("PUBLISH_PER_MINUTE", "100000"),
        ("PUBLISH_PER_MINUTE_ACCOUNT", "100000"),
        ("REPLIES_PER_MINUTE_ACCOUNT", "100000"),
        ("SYNC_NOW_PER_MINUTE", "100000"),
        ("UPLOADS_PER_MINUTE", "100000"),
        ("REPLY_UNDO_MS", "0"),
        // Every seller and watcher comes from one address.
        ("MAX_CONNECTIONS", "20000"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "20000"),
        ("MAX_CALLS_PER_OWNER", "20000"),
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
    let pid = instance.pid().context("it runs")?;
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
    // Whatever has not come by then is counted.
    if let Ok(arrived) = timeout(ARRIVES_WITHIN, watchers.arrived(&sellers)).await {
        arrived?;
    }
    let missing = watchers.behind();
    let (events, gaps) = (watchers.events(), watchers.gaps());
    let streams = watchers.count();
    drop(watchers);
    let (rows, refused) = calls.rows();
    ensure!(!rows.is_empty(), "nobody called");
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

/// What the process has in memory, from time to time.
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
