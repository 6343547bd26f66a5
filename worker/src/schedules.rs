//! What runs by itself. Each schedule is a row that people can see and change; of several processes one takes each turn.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use vintedbot_domain::inbox::sync::turns;
use vintedbot_domain::jobs::Cadence;
use vintedbot_domain::publishing::{self, film, watch};
use vintedbot_domain::{Error, Result, accounts, events, jobs, media, requests, webhooks};
use vintedbot_marketplace::Error as SiteError;

use crate::Worker;

/// Has what is due or abandoned looked for.
const SWEEPER: &str = "sweeper";
/// Says what is to be published when, and whether that is late.
const PUBLISH_QUEUE: &str = "publish_queue";
/// Forgets what is kept for a while only: events, deliveries, ended jobs and what they looked like.
const PRUNE: &str = "prune";
/// Gives back the space of what was removed.
const VACUUM: &str = "vacuum";
/// Removes photos that were uploaded and never used, and files of nothing.
const CLEAN_TEMPORARY_PHOTOS: &str = "clean_temporary_photos";
/// Looks for what was settled as not published and appears all the same.
const LEDGER_WATCH: &str = "ledger_watch";

/// Looks at each account's session and catalog.
const ACCOUNT_SYNC: &str = "account_sync";

/// Removes files of deleted photos that could not be removed at once.
const FILE_REMOVAL: &str = "file_removal";

/// Every schedule with its cadence, as written at first start.
pub const DEFAULTS: [(&str, Cadence); 8] = [
    (SWEEPER, Cadence::Every(5_000)),
    (PUBLISH_QUEUE, Cadence::Every(60_000)),
    (PRUNE, Cadence::at_hour(2)),
    (VACUUM, Cadence::at_hour(2)),
    (CLEAN_TEMPORARY_PHOTOS, Cadence::Every(6 * 3_600_000)),
    (FILE_REMOVAL, Cadence::Every(60_000)),
    (LEDGER_WATCH, Cadence::Every(900_000)),
    (ACCOUNT_SYNC, Cadence::Every(3_600_000)),
];
/// Those that may take long. They are run one after the other, and the others go on meanwhile.
const LONG: [&str; 5] = [PRUNE, VACUUM, CLEAN_TEMPORARY_PHOTOS, FILE_REMOVAL, LEDGER_WATCH];

/// How often the table is looked at; no schedule can run more often.
const TICK: Duration = Duration::from_millis(500);
/// Jobs that one sweep counts; those who hand work out look for all of it.
const SWEEP_LIMIT: u64 = 256;

/// Runs what is due until the drain.
pub async fn run(worker: Arc<Worker>) {
    let (long, waiting) = unbounded_channel();
    let lane = Lane {
        busy: Mutex::default(),
        long,
    };
    tokio::join!(ticks(&worker, &lane), run_long(&worker, &lane, waiting));
}

/// Where schedules that may take long stand in line.
struct Lane {
    busy: Mutex<HashSet<String>>,
    long: UnboundedSender<String>,
}

impl Lane {
    fn busy(&self) -> HashSet<String> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, id: String) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.insert(id.clone()) {
            // Its other end lives as long as the ticks do.
            let _ = self.long.send(id);
        }
    }

    fn done(&self, id: &str) {
        self.busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
    }
}

async fn ticks(worker: &Worker, lane: &Lane) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.drain.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = tick(worker, lane).await {
            tracing::warn!(%error, "schedules could not be run; tried again");
        }
    }
}

async fn tick(worker: &Worker, lane: &Lane) -> Result<()> {
    let domain = &worker.domain;
    for due in jobs::take_due(&domain.store, &domain.settings.zone(), &lane.busy()).await? {
        if LONG.contains(&due.id.as_str()) {
            lane.add(due.id);
        } else {
            let outcome = outcome_of(worker, &due.id).await;
            note(worker, &due.id, &outcome).await?;
        }
    }
    Ok(())
}

async fn run_long(worker: &Worker, lane: &Lane, mut waiting: UnboundedReceiver<String>) {
    loop {
        let next = tokio::select! {
            () = worker.drain.cancelled() => None,
            next = waiting.recv() => next,
        };
        let Some(id) = next else { break };
        let outcome = tokio::select! {
            () = worker.drain.cancelled() => Err(cut_off()),
            outcome = outcome_of(worker, &id) => outcome,
        };
        if let Err(error) = note(worker, &id, &outcome).await {
            tracing::warn!(schedule = id, %error, "how a schedule went could not be written down");
        }
        lane.done(&id);
    }
    waiting.close();
    while let Some(id) = waiting.recv().await {
        if let Err(error) = note(worker, &id, &Err(cut_off())).await {
            tracing::warn!(schedule = id, %error, "how a schedule went could not be written down");
        }
    }
}

fn cut_off() -> Error {
    Error::Internal("the process was asked to end meanwhile; the next turn does it".to_owned())
}

async fn note(worker: &Worker, id: &str, outcome: &Result<String>) -> Result<()> {
    if let Err(error) = outcome {
        tracing::warn!(schedule = id, %error, "a schedule failed");
    }
    jobs::complete(&worker.domain.store, id, outcome).await
}

async fn outcome_of(worker: &Worker, id: &str) -> Result<String> {
    let domain = &worker.domain;
    match id {
        SWEEPER => sweep(worker).await,
        PUBLISH_QUEUE => publishing::queue(domain).await,
        PRUNE => prune(worker).await,
        VACUUM => domain.store.vacuum().await,
        CLEAN_TEMPORARY_PHOTOS => {
            let now = domain.store.now().await?;
            media::clean(domain, now - domain.settings.unused_photos_keep_ms).await
        }
        FILE_REMOVAL => media::remove_condemned(domain)
            .await
            .map(|count| format!("removed {count} files")),
        LEDGER_WATCH => watch_ledger(worker).await,
        ACCOUNT_SYNC => accounts::queue_all(&domain.store)
            .await
            .map(|queued| format!("queued {queued}")),
        id => match turns::account_of(id) {
            Some(account_id) => turns::take(domain, account_id).await,
            None => Ok("this program knows no such schedule".to_owned()),
        },
    }
}

async fn sweep(worker: &Worker) -> Result<String> {
    let due = jobs::sweep(&worker.domain.store, SWEEP_LIMIT).await?;
    worker.looks.notify_one();
    Ok(format!("found {} due", due.len()))
}

async fn prune(worker: &Worker) -> Result<String> {
    let (domain, keep) = (&worker.domain, &worker.domain.settings);
    let now = domain.store.now().await?;
    let gone_events = events::retain(&domain.store, now - keep.events_keep_ms).await?;
    let gone_jobs = jobs::purge(&domain.store, now - keep.jobs_keep_ms).await?;
    let gone_requests = requests::purge(&domain.store, now - keep.requests_keep_ms).await?;
    let gone_workers = jobs::purge_workers(&domain.store, now - keep.workers_keep_ms).await?;
    let gone_pictures = film::forget(domain, now - keep.screenshots_keep_ms).await?;
    let gone_deliveries = webhooks::retain(&domain.store, now - keep.deliveries_keep_ms).await?;
    Ok(format!(
        "removed {gone_events} events, {gone_deliveries} webhook deliveries, {gone_jobs} jobs, {gone_requests} request ids, \
         {gone_workers} workers and the pictures of {gone_pictures} publish jobs"
    ))
}

async fn watch_ledger(worker: &Worker) -> Result<String> {
    let domain = &worker.domain;
    let (mut found, mut unread) = (0, 0);
    for seat in watch::watched_accounts(domain).await? {
        match worker.marketplace.wardrobe(&seat).await {
            Ok(wardrobe) => found += watch::compare(domain, &seat.account_id, &wardrobe).await?,
            Err(error) => {
                unread += 1;
                tracing::warn!(%error, account_id = seat.account_id, "a watched account could not be read");
                if let SiteError::Challenge { verdict, .. } = &error {
                    crate::accounts::challenged(worker, &seat.account_id, verdict).await?;
                }
            }
        }
    }
    Ok(format!(
        "found {found} possible duplicates; {unread} accounts could not be read"
    ))
}
