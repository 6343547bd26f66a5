//! Streams: many watchers of a busy event log are disconnected repeatedly, in the middle of a frame or by a restart of
//! the server. They continue from their cursors. Then another process compares their events with the log.
//!
//! [`proxy`] is between a watcher and the server and cuts connections, [`watcher`] records events, [`driver`] creates
//! events, [`verify`] compares. [`lists`] compares the final state of two watchers.

mod driver;
mod lists;
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
use tonic::metadata::{Ascii, MetadataValue};
use vintedbot_sdk::v1::WatchRequest;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::{Client, RetryPolicy};

use crate::instance::{Browser, Instance, Practice, Setup};
use driver::{Driver, Scene};
use lists::Lists;
use proxy::Proxy;
use watcher::{Ask, Line, Watcher};

/// The number of simultaneous watchers. They request all or some of the events, and continue in different ways.
const WATCHERS: usize = 16;
/// One in this many cuts is a restart of the server, which cuts every stream at once.
const RESTARTS_SHARE: usize = 10;
/// The time limit for a watcher to reconnect, and to reach the end of the log.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(60);
/// The number of cuts between two progress messages.
const PROGRESS_EVERY: usize = 1_000;
/// The minimum number of events per second in a run with at least `FULL_CUTS` cuts.
const RATE: f64 = 100.0;
const FULL_CUTS: usize = 10_000;
/// The number of cuts of the list.
const LIST_CUTS: usize = 200;
/// The number of starts that may fail because another connection temporarily uses the instance's port.
const STARTS: usize = 5;

/// The options of the streams proof.
#[derive(Clone, Debug)]
pub struct Options {
    pub cuts: usize,
    pub seed: u64,
    /// The disabled rule; empty means none.
    pub failpoints: String,
}

/// The result of the proof.
#[derive(Debug)]
pub struct Report {
    pub cuts: usize,
    /// The number of cuts in the middle of a frame.
    pub within_frames: u64,
    pub restarts: usize,
    pub events: u64,
    pub elapsed: Duration,
    pub compared: verify::Compared,
    pub lists: lists::Compared,
}

impl Report {
    /// Returns whether every event arrived exactly once.
    pub fn is_good(&self) -> bool {
        self.compared.lost == 0 && self.compared.doubled == 0 && self.problems().next().is_none()
    }

    fn rate(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }

    fn problems(&self) -> impl Iterator<Item = String> {
        let problem_if = |is_so: bool, problem: String| is_so.then_some(problem);
        let others = [
            problem_if(
                self.compared.gaps > 0,
                format!("the log has {} gaps", self.compared.gaps),
            ),
            problem_if(
                self.within_frames == 0,
                "no cut was in the middle of a frame".to_owned(),
            ),
            problem_if(
                self.cuts >= FULL_CUTS && self.rate() < RATE,
                format!("{:.0} events a second are fewer than {RATE}", self.rate()),
            ),
        ];
        let compared = self.compared.problems.iter().chain(&self.lists.problems);
        compared.cloned().chain(others.into_iter().flatten())
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for problem in self.problems() {
            writeln!(f, "! {problem}")?;
        }
        let rate = self.rate();
        writeln!(
            f,
            "{WATCHERS} watchers, {} restarts, {} cuts within a frame, {} events in {:.0} s, {rate:.0} a second; {} deliveries compared",
            self.restarts,
            self.within_frames,
            self.events,
            self.elapsed.as_secs_f64(),
            self.compared.deliveries,
        )?;
        writeln!(
            f,
            "lists: one of two was cut {} times; {} threads, {} changes, {} differences",
            self.lists.cuts,
            self.lists.threads,
            self.lists.changes,
            self.lists.problems.len()
        )?;
        write!(
            f,
            "streams: {} cuts, {} lost, {} doubled",
            self.cuts, self.compared.lost, self.compared.doubled
        )
    }
}

/// Makes the cuts. `folder` holds all data.
///
/// # Errors
///
/// Fails if the instance cannot be started or a watcher does not come back. Lost events are counted and are not errors.
pub async fn run(options: &Options, folder: &Path) -> Result<Report> {
    let practice = Practice::start(&folder.join("records.jsonl")).await?;
    let data_dir = folder.join("data");
    let mut instance = Instance::new(Setup {
        data_dir: data_dir.clone(),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Off,
        settings: vec![
            ("LOG".to_owned(), "warn".to_owned()),
            ("FAILPOINTS".to_owned(), options.failpoints.clone()),
        ],
    })?;
    instance.start().await?;
    let client = client(&instance.url(), &instance)?;
    let scene = Scene::set(&client, &practice.site).await?;
    let token = std::fs::read_to_string(instance.token_file())?;
    let authorization: MetadataValue<Ascii> = format!("Bearer {}", token.trim()).parse()?;
    let mut watchers = Vec::with_capacity(WATCHERS);
    for number in 0..WATCHERS {
        let proxy = Proxy::start(&instance.url()).await?;
        let line = Line {
            client: self::client(&proxy.url(), &instance)?,
            url: proxy.url(),
            authorization: authorization.clone(),
        };
        let file = folder.join(format!("watcher-{number}.jsonl"));
        watchers.push((Watcher::begin(Ask::of(number, &scene), line, file).await?, proxy));
    }
    let list_proxy = Proxy::start(&instance.url()).await?;
    let through = self::client(&list_proxy.url(), &instance)?;
    let lists = Lists::begin(&through, &client, COMES_BACK_WITHIN).await?;
    let (began, before) = (Instant::now(), head(&client).await?);
    let driver = Driver::start(&client, &scene);
    let list_cuts = LIST_CUTS.min(options.cuts);
    let ((cuts, restarts), list_cuts) = tokio::try_join!(
        cut(options, &mut instance, &watchers),
        lists.cut(&list_proxy, list_cuts, options.seed, COMES_BACK_WITHIN),
    )?;
    driver.stop().await?;
    let elapsed = began.elapsed();
    let end = head(&client).await?;
    for (watcher, _) in &watchers {
        watcher.reaches(end, COMES_BACK_WITHIN).await;
    }
    let lists = lists.compared(&client, end, list_cuts, COMES_BACK_WITHIN).await?;
    let mut within_frames = 0;
    for (watcher, proxy) in watchers {
        within_frames += proxy.cuts_within_frames();
        watcher.end(end).await?;
    }
    instance.stop().await?;
    practice.stop().await?;
    let compared = compare_elsewhere(folder, &data_dir.join("vintedbot.sqlite"))?;
    Ok(Report {
        cuts,
        within_frames,
        restarts,
        events: end - before,
        elapsed,
        compared,
        lists,
    })
}

/// Cuts established streams one after the other, and all of them by restarts in between.
async fn cut(
    options: &Options,
    instance: &mut Instance,
    watchers: &[(Watcher, Proxy)],
) -> Result<(usize, usize)> {
    let mut random = StdRng::seed_from_u64(options.seed);
    let (mut cuts, mut restarts, mut by_restart, mut reported) = (0, 0, 0, 0);
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
                // A watcher that gave up counts its missing events as lost. The others continue.
                ensure!(
                    watchers.iter().any(|(watcher, _)| !watcher.has_broken_off()),
                    "every watcher has given up: {:?}",
                    watcher.broken_off()
                );
                continue;
            }
            // A few more bytes pass, so that the current frame stays incomplete.
            let bytes = random.random_range(0..2_000);
            tokio::select! {
                is_cut = proxy.cut(bytes, COMES_BACK_WITHIN) => cuts += usize::from(is_cut?),
                () = watcher.breaks_off() => {}
            }
        }
        if cuts / PROGRESS_EVERY > reported {
            reported = cuts / PROGRESS_EVERY;
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

/// Returns a client that reconnects at once and repeatedly.
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

/// Returns the sequence of the newest event.
async fn head(client: &Client) -> Result<u64> {
    let mut watch = client.events().watch(WatchRequest::default());
    match watch.try_next().await? {
        Some(Message::Checkpoint(first)) => Ok(first.sequence),
        other => anyhow::bail!("a watch began with {other:?}"),
    }
}

/// Compares in another process, which shares no state with this one.
fn compare_elsewhere(folder: &Path, database: &Path) -> Result<verify::Compared> {
    let program = std::env::current_exe()?;
    let output = Command::new(program)
        .arg("--verify")
        .arg(folder)
        .arg("--database")
        .arg(database)
        .output()
        .context("cannot start the comparing process")?;
    ensure!(
        output.status.success(),
        "the comparison failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("the comparison's output is not valid")
}
