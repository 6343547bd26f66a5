//! Streams: many watchers of a busy event log are cut over and over, in the middle of a frame or by a restart of the server,
//! and go on from their cursors; then another process compares what each of them got with the log itself.
//!
//! [`proxy`] stands between a watcher and the server and cuts, [`watcher`] writes down what comes, [`driver`] makes events,
//! [`verify`] compares.

mod driver;
mod proxy;
pub mod verify;
mod watcher;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep};
use vintedbot_sdk::v1::WatchRequest;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::{Client, RetryPolicy};

use crate::instance::{Browser, Instance, Practice, Setup};
use driver::Driver;
use proxy::Proxy;
use watcher::Watcher;

/// Watchers at the same time; every other one asks for a part of the events alone.
const WATCHERS: usize = 16;
/// Of so many cuts, one is made by a restart of the server, which cuts every stream at once.
const RESTARTS_SHARE: usize = 10;
/// The longest that a watcher may take to come back, and to come to the end of the log.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(60);
/// Cuts between two words about how far it is.
const SAID_EVERY: usize = 1_000;
/// Starts that may fail because a passing connection has the instance's port.
const STARTS: usize = 5;

/// How much is cut.
#[derive(Clone, Debug)]
pub struct Options {
    pub cuts: usize,
    pub seed: u64,
    /// The protecting rule that is switched off; empty: none.
    pub sabotage: String,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    pub cuts: usize,
    pub restarts: usize,
    pub events: u64,
    pub elapsed: Duration,
    pub compared: verify::Compared,
}

impl Report {
    /// Whether every event came once.
    pub fn is_good(&self) -> bool {
        self.compared.lost == 0 && self.compared.doubled == 0 && self.compared.problems.is_empty()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for problem in &self.compared.problems {
            writeln!(f, "! {problem}")?;
        }
        let rate = self.events as f64 / self.elapsed.as_secs_f64();
        writeln!(
            f,
            "{WATCHERS} watchers, {} restarts, {} events in {:.0} s, {rate:.0} a second; {} deliveries compared",
            self.restarts,
            self.events,
            self.elapsed.as_secs_f64(),
            self.compared.deliveries,
        )?;
        write!(
            f,
            "streams: {} cuts, {} lost, {} doubled",
            self.cuts, self.compared.lost, self.compared.doubled
        )
    }
}

/// Makes the cuts, in a folder of its own.
///
/// # Errors
///
/// The instance cannot be started, or a watcher does not come back; what is lost is counted, and is no error.
pub async fn run(options: &Options, folder: &Path) -> Result<Report> {
    let practice = Practice::start(&folder.join("records.jsonl")).await?;
    let data_dir = folder.join("data");
    let mut instance = Instance::new(Setup {
        data_dir: data_dir.clone(),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Off,
        settings: vec![
            ("LOG".to_owned(), "warn".to_owned()),
            ("SABOTAGE".to_owned(), options.sabotage.clone()),
        ],
    })?;
    instance.start().await?;
    let client = client(&instance.url(), &instance)?;
    let began = Instant::now();
    let before = head(&client).await?;
    let mut watchers = Vec::with_capacity(WATCHERS);
    for number in 0..WATCHERS {
        let proxy = Proxy::start(&instance.url()).await?;
        let through = self::client(&proxy.url(), &instance)?;
        let file = folder.join(format!("watcher-{number}.jsonl"));
        watchers.push((Watcher::begin(number, &through, file).await?, proxy));
    }
    let driver = Driver::start(&client);
    let cut = cut(options, &mut instance, &watchers).await;
    let (cuts, restarts) = cut?;
    driver.stop().await?;
    let end = head(&client).await?;
    for (watcher, _) in &watchers {
        watcher.reaches(end, COMES_BACK_WITHIN).await;
    }
    let elapsed = began.elapsed();
    for (watcher, _) in watchers {
        watcher.end(end).await?;
    }
    instance.stop().await?;
    practice.stop().await?;
    let compared = compare_elsewhere(folder, &data_dir.join("vintedbot.sqlite"))?;
    Ok(Report {
        cuts,
        restarts,
        events: end - before,
        elapsed,
        compared,
    })
}

/// Cuts established streams, one after the other, and all of them by restarts in between.
async fn cut(
    options: &Options,
    instance: &mut Instance,
    watchers: &[(Watcher, Proxy)],
) -> Result<(usize, usize)> {
    let mut random = StdRng::seed_from_u64(options.seed);
    let (mut cuts, mut restarts, mut by_restart, mut said) = (0, 0, 0, 0);
    while cuts < options.cuts {
        if by_restart * RESTARTS_SHARE < cuts && options.cuts - cuts >= WATCHERS {
            let mut established = 0;
            for (_, proxy) in watchers {
                established += usize::from(proxy.is_established());
            }
            if random.random_bool(0.5) {
                instance.kill().await?;
            } else {
                instance.stop().await?;
            }
            start(instance).await?;
            restarts += 1;
            by_restart += established;
            cuts += established;
        } else {
            let (watcher, proxy) = &watchers[random.random_range(0..watchers.len())];
            if watcher.has_broken_off() {
                // It counts what it has not got as lost; the others go on.
                ensure!(
                    watchers.iter().any(|(watcher, _)| !watcher.has_broken_off()),
                    "every watcher has broken off: {:?}",
                    watcher.broken_off()
                );
                continue;
            }
            // A few bytes more, and the frame that they belong to is never whole.
            let bytes = random.random_range(0..2_000);
            if proxy.cut(bytes, COMES_BACK_WITHIN).await? {
                cuts += 1;
            }
        }
        if cuts / SAID_EVERY > said {
            said = cuts / SAID_EVERY;
            eprintln!("{cuts} cuts so far");
        }
    }
    Ok((cuts, restarts))
}

async fn start(instance: &mut Instance) -> Result<()> {
    let mut tries = 1;
    while let Err(error) = instance.start().await {
        if tries == STARTS {
            return Err(error);
        }
        tries += 1;
        sleep(Duration::from_millis(300)).await;
    }
    Ok(())
}

/// A client that comes back at once, and again and again.
fn client(url: &str, instance: &Instance) -> Result<Client> {
    let retry = RetryPolicy {
        max_attempts: 40,
        first_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(200),
    };
    let client = Client::builder(url)
        .token_file(instance.token_file())
        .retry(retry);
    Ok(client.lazy()?)
}

/// The place of the newest event.
async fn head(client: &Client) -> Result<u64> {
    let mut watch = client.events().watch(WatchRequest::default());
    match watch.try_next().await? {
        Some(Message::Checkpoint(first)) => Ok(first.sequence),
        other => anyhow::bail!("a watch began with {other:?}"),
    }
}

/// Compares in another process, which has seen nothing of this one.
fn compare_elsewhere(folder: &Path, database: &Path) -> Result<verify::Compared> {
    let program = std::env::current_exe()?;
    let output = Command::new(program)
        .arg("--verify")
        .arg(folder)
        .arg("--database")
        .arg(database)
        .output()
        .context("the process that compares")?;
    ensure!(
        output.status.success(),
        "the comparison failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("what the comparison said")
}
