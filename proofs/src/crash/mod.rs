//! Crash: the whole `vintedbot` process is killed at every stage of an attempt and at random moments, and started again;
//! then the practice site's records say what was published, and how often.
//!
//! [`plan`] says what is killed and when, [`victim`] is the process that it befalls, [`lane`] brings one [`listing`] after
//! another to its end, [`changing`] does the same with changes of items that are on the site and [`answering`] with replies, [`webhooks`] counts what arrives at a receiver, [`report`] counts. A new stage of the worker is in the plan by itself; a new way of the site to
//! mislead is a variant of [`plan::Script`].

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
use changing::{AT_THE_GATE, Changes};
use lane::{Ended, Lane, Outcome};
use plan::{Cell, What};
pub use report::Report;

/// Instances at work at the same time; most of their time they wait for a lease to run out.
const LANES: usize = 8;
/// Chromium takes a processor for itself.
const BROWSER_LANES: usize = 2;
/// Listings after which a lane goes on with a fresh instance, so that its wardrobe stays short.
const CELLS_PER_INSTANCE: usize = 50;
/// Of so many kills, one befalls a change of an item.
const CHANGES_SHARE: usize = 5;
/// Instances that change items, or answer buyers, at the same time.
const CHANGE_LANES: usize = 4;
/// Of so many kills, one befalls a reply.
const REPLIES_SHARE: usize = 5;
/// Of so many kills, one befalls webhooks.
const WEBHOOKS_SHARE: usize = 5;

/// Instances that went wrong one after another, after which a lane ends: whatever it is does not pass.
const GIVEN_UP_AFTER: usize = 3;
/// Listings between two words about how far it is.
const SAID_EVERY: usize = 100;

/// How much is killed.
#[derive(Clone, Debug)]
pub struct Options {
    pub kills: usize,
    pub browser_kills: usize,
    pub seed: u64,
    /// The disabled rule; empty: none.
    pub failpoints: String,
}

/// Makes the kills, in a folder of its own for everything that the instances and the site keep.
///
/// # Errors
///
/// The practice site or an instance cannot be started, or does what stops the count; what a kill does to a job is
/// counted, and is no error.
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
        // The site's own file, read after all is over: what came late counts too.
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

/// What all lanes share.
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
    /// Takes cells until there are none, with a fresh instance now and then, and after whatever went wrong.
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

    /// The same for changes of items; one of the lanes also cancels some at the gate.
    async fn change_lane(&self, queue: &Queue, asks_the_gate: bool) {
        let mut asks_the_gate = asks_the_gate;
        let mut errors_in_a_row = 0;
        while errors_in_a_row < GIVEN_UP_AFTER && (asks_the_gate || !lock(queue).is_empty()) {
            match self.changing_instance(queue, asks_the_gate).await {
                Ok(()) => (errors_in_a_row, asks_the_gate) = (0, false),
                Err(error) => {
                    errors_in_a_row += 1;
                    lock(&self.errors).push(format!("{error:#}"));
                }
            }
        }
    }

    async fn changing_instance(&self, queue: &Queue, asks_the_gate: bool) -> Result<()> {
        let number = self.instances.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("instance-{number}"));
        let count = CELLS_PER_INSTANCE.min(lock(queue).len() + AT_THE_GATE);
        let (mut lane, mut items) =
            Lane::open_for_changes(&folder, &self.site, &self.failpoints, count).await?;
        let mut result = Ok(());
        if asks_the_gate {
            for what in [What::Price, What::Delete].into_iter().cycle().take(AT_THE_GATE) {
                let Some(item) = items.pop() else { break };
                match lane.cancel_at_the_gate(what, item).await {
                    Ok(cancelled) => lock(&self.changes).cancelled.push(cancelled),
                    Err(error) => result = Err(error.context("cancelling at the gate")),
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

    /// The same for replies.
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

    /// Takes rounds of webhooks until there are none, each with an instance of its own.
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
        if outcomes.len().is_multiple_of(SAID_EVERY) {
            let kills: usize = outcomes.iter().map(|outcome| outcome.kills.len()).sum();
            eprintln!("{kills} kills so far");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
