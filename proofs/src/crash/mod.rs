//! Crash: the whole `vintedbot` process is killed at every stage of an attempt and at random moments, and started
//! again. Then the practice site's records show which writes were made, and how often.
//!
//! [`plan`] defines the kills, [`victim`] is the killed process, [`lane`] runs one [`listing`] after another.
//! [`changing`] does the same for changes of items on the site, and [`answering`] for replies. [`webhooks`] compares
//! the deliveries at a receiver, [`report`] counts. A new stage of the worker becomes part of the plan automatically.
//! To add a misbehaviour of the site, add a variant of [`plan::Script`].

mod answering;
mod changing;
mod lane;
mod listing;
mod plan;
mod report;
mod victim;
mod webhooks;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use crate::instance::{Browser, Practice};
use crate::records::{self, Site};
use changing::{CANCELLED_BEFORE_INTENT, Changes};
use lane::{Ended, Lane, Outcome};
use plan::{Cell, What};
pub use report::Report;

/// The number of simultaneous instances. Most of the time they wait for a lease to expire.
const LANES: usize = 8;
/// The same with a browser; Chromium occupies a core.
const BROWSER_LANES: usize = 2;
/// The number of listings after which a lane uses a new instance, so that the wardrobe stays short.
const CELLS_PER_INSTANCE: usize = 50;
/// One in this many kills affects a change of an item.
const CHANGES_SHARE: usize = 5;
/// The number of simultaneous instances that change items or answer buyers.
const CHANGE_LANES: usize = 4;
/// One in this many kills affects a reply.
const REPLIES_SHARE: usize = 5;
/// One in this many kills affects webhooks.
const WEBHOOKS_SHARE: usize = 5;

/// The number of consecutive failed instances after which a lane ends, because the cause is permanent.
const GIVEN_UP_AFTER: usize = 3;
/// The number of listings between two progress messages.
const PROGRESS_EVERY: usize = 100;

/// The options of the crash proof.
#[derive(Clone, Debug)]
pub struct Options {
    pub kills: usize,
    pub browser_kills: usize,
    pub seed: u64,
    /// The disabled rule; empty means none.
    pub failpoints: String,
}

/// Makes the kills. `folder` holds all data of the instances and the practice site.
///
/// # Errors
///
/// Fails if the practice site or an instance cannot be started, or if an error stops the count. The effect of a kill on
/// a job is counted and is not an error.
pub async fn run(options: &Options, folder: &Path) -> Result<Report> {
    let records_file = folder.join("records.jsonl");
    let practice = Practice::start(&records_file).await?;
    let work = Work {
        site: practice.site.clone(),
        folder: folder.to_owned(),
        failpoints: options.failpoints.clone(),
        instances: AtomicUsize::new(0),
        outcomes: Mutex::new(Vec::new()),
        errors: Mutex::new(Vec::new()),
        leftovers: AtomicUsize::new(0),
        changes: Mutex::default(),
        replies: Mutex::default(),
        webhooks: Mutex::default(),
    };
    let changes = Queue::new(changing::cells(options.kills / CHANGES_SHARE, options.seed).into());
    let browserless = Queue::new(plan::browserless(options.kills, options.seed).into());
    let browser = Queue::new(plan::browser(options.browser_kills, options.seed).into());
    let lanes = (0..LANES).map(|_| work.lane(&browserless, Browser::Off));
    let browser_lanes = (0..BROWSER_LANES).map(|_| work.lane(&browser, Browser::Required));
    futures::future::join(
        futures::future::join_all(lanes),
        futures::future::join_all(browser_lanes),
    )
    .await;
    let change_lanes = (0..CHANGE_LANES).map(|number| work.change_lane(&changes, number == 0));
    futures::future::join_all(change_lanes).await;
    let replies = Mutex::new(VecDeque::from(answering::cells(
        options.kills / REPLIES_SHARE,
        options.seed,
    )));
    let reply_lanes = (0..CHANGE_LANES).map(|_| work.reply_lane(&replies));
    futures::future::join_all(reply_lanes).await;
    let rounds = Mutex::new(VecDeque::from(webhooks::rounds(
        options.kills / WEBHOOKS_SHARE,
        options.seed,
    )));
    futures::future::join_all((0..CHANGE_LANES).map(|_| work.webhook_lane(&rounds))).await;
    practice.stop().await?;
    Ok(Report {
        // The site's own file, read at the end, so that late writes count too.
        records: records::read_file(&records_file)?,
        outcomes: work.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner),
        errors: work.errors.into_inner().unwrap_or_else(PoisonError::into_inner),
        leftovers: work.leftovers.into_inner(),
        changes: work.changes.into_inner().unwrap_or_else(PoisonError::into_inner),
        replies: work.replies.into_inner().unwrap_or_else(PoisonError::into_inner),
        webhooks: work.webhooks.into_inner().unwrap_or_else(PoisonError::into_inner),
    })
}

type Queue = Mutex<VecDeque<Cell>>;

/// The shared state of all lanes.
struct Work {
    site: Site,
    folder: PathBuf,
    failpoints: String,
    instances: AtomicUsize,
    outcomes: Mutex<Vec<Outcome>>,
    errors: Mutex<Vec<String>>,
    leftovers: AtomicUsize,
    changes: Mutex<Changes>,
    replies: Mutex<Vec<answering::Outcome>>,
    webhooks: Mutex<Vec<webhooks::Outcome>>,
}

impl Work {
    /// Runs cells until the queue is empty. Uses a new instance after a number of cells, and after an error.
    async fn lane(&self, queue: &Queue, browser: Browser) {
        let mut errors_in_a_row = 0;
        while errors_in_a_row < GIVEN_UP_AFTER && !lock(queue).is_empty() {
            match self.instance(queue, browser).await {
                Ok(()) => errors_in_a_row = 0,
                Err(error) => {
                    errors_in_a_row += 1;
                    lock(&self.errors).push(format!("{error:#}"));
                }
            }
        }
    }

    async fn instance(&self, queue: &Queue, browser: Browser) -> Result<()> {
        let number = self.instances.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("instance-{number}"));
        let mut lane = Lane::open(&folder, &self.site, browser, &self.failpoints).await?;
        let mut result = Ok(());
        for _ in 0..CELLS_PER_INSTANCE {
            let Some(cell) = lock(queue).pop_front() else {
                break;
            };
            match lane.run(&cell).await {
                Ok(outcome) => {
                    let is_clean = !matches!(outcome.ended, Ended::Neither(_));
                    self.note(outcome);
                    if !is_clean {
                        break;
                    }
                }
                Err(error) => {
                    let cell = format!(
                        "instance-{number}, {:?} {:?}, dry run {}",
                        cell.kills, cell.script, cell.dry_run
                    );
                    result = Err(error.context(cell));
                    break;
                }
            }
        }
        let left = lane.close().await;
        self.leftovers.fetch_add(left?, Ordering::Relaxed);
        result
    }

    /// Does the same for changes of items. One of the lanes also cancels some right before their intent.
    async fn change_lane(&self, queue: &Queue, cancels_before_intent: bool) {
        let mut cancels_before_intent = cancels_before_intent;
        let mut errors_in_a_row = 0;
        while errors_in_a_row < GIVEN_UP_AFTER && (cancels_before_intent || !lock(queue).is_empty()) {
            match self.changing_instance(queue, cancels_before_intent).await {
                Ok(()) => (errors_in_a_row, cancels_before_intent) = (0, false),
                Err(error) => {
                    errors_in_a_row += 1;
                    lock(&self.errors).push(format!("{error:#}"));
                }
            }
        }
    }

    async fn changing_instance(&self, queue: &Queue, cancels_before_intent: bool) -> Result<()> {
        let number = self.instances.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("instance-{number}"));
        let count = CELLS_PER_INSTANCE.min(lock(queue).len() + CANCELLED_BEFORE_INTENT);
        let (mut lane, mut items) =
            Lane::open_for_changes(&folder, &self.site, &self.failpoints, count).await?;
        let mut result = Ok(());
        if cancels_before_intent {
            for what in [What::Price, What::Delete]
                .into_iter()
                .cycle()
                .take(CANCELLED_BEFORE_INTENT)
            {
                let Some(item) = items.pop() else { break };
                match lane.cancel_before_intent(what, item).await {
                    Ok(cancelled) => lock(&self.changes).cancelled.push(cancelled),
                    Err(error) => result = Err(error.context("cancelling before the intent")),
                }
            }
        }
        while let Some(item) = items.pop() {
            let Some(cell) = lock(queue).pop_front() else {
                break;
            };
            match lane.change(&cell, item).await {
                Ok(outcome) => {
                    let is_clean = !matches!(outcome.ended, changing::Ended::Neither(_));
                    lock(&self.changes).outcomes.push(outcome);
                    if !is_clean {
                        break;
                    }
                }
                Err(error) => {
                    result = Err(error.context(format!("instance-{number}, {cell:?}")));
                    break;
                }
            }
        }
        let left = lane.close().await;
        self.leftovers.fetch_add(left?, Ordering::Relaxed);
        result
    }

    /// Does the same for replies.
    async fn reply_lane(&self, queue: &Mutex<VecDeque<answering::Cell>>) {
        let mut errors_in_a_row = 0;
        while errors_in_a_row < GIVEN_UP_AFTER && !lock(queue).is_empty() {
            match self.answering_instance(queue).await {
                Ok(()) => errors_in_a_row = 0,
                Err(error) => {
                    errors_in_a_row += 1;
                    lock(&self.errors).push(format!("{error:#}"));
                }
            }
        }
    }

    async fn answering_instance(&self, queue: &Mutex<VecDeque<answering::Cell>>) -> Result<()> {
        let number = self.instances.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("instance-{number}"));
        let mut lane = Lane::open_for_replies(&folder, &self.site, &self.failpoints).await?;
        let mut result = Ok(());
        for _ in 0..CELLS_PER_INSTANCE {
            let Some(cell) = lock(queue).pop_front() else {
                break;
            };
            match lane.reply(&cell).await {
                Ok(outcome) => {
                    let is_clean = !matches!(outcome.ended, answering::Ended::Neither(_));
                    lock(&self.replies).push(outcome);
                    if !is_clean {
                        break;
                    }
                }
                Err(error) => {
                    result = Err(error.context(format!("instance-{number}, {cell:?}")));
                    break;
                }
            }
        }
        let left = lane.close().await;
        self.leftovers.fetch_add(left?, Ordering::Relaxed);
        result
    }

    /// Runs all rounds of webhooks, each with a new instance.
    async fn webhook_lane(&self, rounds: &Mutex<VecDeque<Vec<webhooks::Kill>>>) {
        loop {
            let Some(kills) = lock(rounds).pop_front() else {
                return;
            };
            let number = self.instances.fetch_add(1, Ordering::Relaxed);
            let folder = self.folder.join(format!("instance-{number}"));
            match webhooks::round(&folder, &self.site, &self.failpoints, &kills).await {
                Ok(outcome) => lock(&self.webhooks).push(outcome),
                Err(error) => lock(&self.errors).push(format!("instance-{number}, webhooks: {error:#}")),
            }
        }
    }

    fn note(&self, outcome: Outcome) {
        let mut outcomes = lock(&self.outcomes);
        outcomes.push(outcome);
        if outcomes.len().is_multiple_of(PROGRESS_EVERY) {
            let kills: usize = outcomes.iter().map(|outcome| outcome.kills.len()).sum();
            eprintln!("{kills} kills so far");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
