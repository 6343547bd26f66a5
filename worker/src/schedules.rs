//! Schedules. Each is a row that people can view and change. If there are several processes, one of them takes each
//! run.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use vintedbot_domain::inbox::sync::turns;
use vintedbot_domain::jobs::Cadence;
use vintedbot_domain::publishing::{self, timeline, watch};
use vintedbot_domain::{Error, Result, accounts, events, identity, jobs, media, requests, webhooks};
use vintedbot_marketplace::Error as SiteError;

use crate::Worker;

/// Triggers the query of due jobs, and finds jobs whose lease has expired.
const SWEEPER: &str = "sweeper";
/// Reports which jobs are to be published when, and whether they are late.
const PUBLISH_QUEUE: &str = "publish_queue";
/// Removes data whose retention has ended: events, deliveries, ended jobs and their screenshots, request ids, and ended
/// workers.
const PRUNE: &str = "prune";
/// Returns the space of removed rows to the file system.
const VACUUM: &str = "vacuum";
/// Removes unused uploaded photos, and files that no record names.
const CLEAN_TEMPORARY_PHOTOS: &str = "clean_temporary_photos";
/// Checks whether an effect that was settled as not done appears on the site.
const EFFECT_WATCH: &str = "effect_watch";

/// Checks each account's session and catalogue.
const ACCOUNT_SYNC: &str = "account_sync";

/// Removes files of deleted photos that could not be removed at once.
const FILE_REMOVAL: &str = "file_removal";

/// The schedules with their cadences, as stored at the first start.
pub const DEFAULTS: [(&str, Cadence); 8] = [
    (SWEEPER, Cadence::Every(5_000)),
    (PUBLISH_QUEUE, Cadence::Every(60_000)),
    (PRUNE, Cadence::at_hour(2)),
    (VACUUM, Cadence::at_hour(2)),
    (CLEAN_TEMPORARY_PHOTOS, Cadence::Every(6 * 3_600_000)),
    (FILE_REMOVAL, Cadence::Every(60_000)),
    (EFFECT_WATCH, Cadence::Every(900_000)),
    (ACCOUNT_SYNC, Cadence::Every(3_600_000)),
];
/// Schedules that may take long. They run one after the other, in parallel to the other schedules.
const LONG: [&str; 5] = [PRUNE, VACUUM, CLEAN_TEMPORARY_PHOTOS, FILE_REMOVAL, EFFECT_WATCH];

/// The interval at which the table is queried, and therefore the shortest possible cadence.
const TICK: Duration = Duration::from_millis(500);
/// The maximum jobs that one sweep counts. The dispatcher queries all due jobs.
const SWEEP_LIMIT: u64 = 256;

/// Runs due schedules until the drain.
pub async fn run(worker: Arc<Worker>) {
    let (long, waiting) = unbounded_channel();
    let long_schedules = LongSchedules {
        busy: Mutex::default(),
        long,
    };
    tokio::join!(
        ticks(&worker, &long_schedules),
        run_long(&worker, &long_schedules, waiting)
    );
}

/// The queue of schedules that may take long.
struct LongSchedules {
    busy: Mutex<HashSet<String>>,
    long: UnboundedSender<String>,
}

impl LongSchedules {
    fn busy(&self) -> HashSet<String> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, id: String) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.insert(id.clone()) {
            // The receiver exists as long as the ticks run.
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

async fn ticks(worker: &Worker, long_schedules: &LongSchedules) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.drain.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = tick(worker, long_schedules).await {
            tracing::warn!(%error, "schedules could not be run; retrying");
        }
    }
}

async fn tick(worker: &Worker, long_schedules: &LongSchedules) -> Result<()> {
    let context = &worker.context;
    for due in jobs::take_due(&context.store, &context.settings.zone(), &long_schedules.busy()).await? {
        if LONG.contains(&due.id.as_str()) {
            long_schedules.add(due.id);
        } else {
            let outcome = outcome_of(worker, &due.id).await;
            note(worker, &due.id, &outcome).await?;
        }
    }
    Ok(())
}

async fn run_long(worker: &Worker, long_schedules: &LongSchedules, mut waiting: UnboundedReceiver<String>) {
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
            tracing::warn!(schedule = id, %error, "the outcome of a schedule could not be recorded");
        }
        long_schedules.done(&id);
    }
    waiting.close();
    while let Some(id) = waiting.recv().await {
        if let Err(error) = note(worker, &id, &Err(cut_off())).await {
            tracing::warn!(schedule = id, %error, "the outcome of a schedule could not be recorded");
        }
    }
}

fn cut_off() -> Error {
    Error::Internal("interrupted by shutdown; the next run completes it".to_owned())
}

async fn note(worker: &Worker, id: &str, outcome: &Result<String>) -> Result<()> {
    if let Err(error) = outcome {
        tracing::warn!(schedule = id, %error, "a schedule failed");
    }
    jobs::complete(&worker.context.store, id, outcome).await
}

async fn outcome_of(worker: &Worker, id: &str) -> Result<String> {
    let context = &worker.context;
    match id {
        SWEEPER => sweep(worker).await,
        PUBLISH_QUEUE => publishing::queue(context).await,
        PRUNE => prune(worker).await,
        VACUUM => context.store.vacuum().await,
        CLEAN_TEMPORARY_PHOTOS => {
            let now = context.store.now().await?;
            media::clean(context, now - context.settings.retention.unused_photos_ms).await
        }
        FILE_REMOVAL => media::remove_marked(context)
            .await
            .map(|count| format!("removed {count} files")),
        EFFECT_WATCH => watch_effects(worker).await,
        ACCOUNT_SYNC => accounts::queue_all(&context.store)
            .await
            .map(|queued| format!("queued {queued}")),
        id => match turns::account_of(id) {
            Some(account_id) => turns::take(context, account_id).await,
            None => Ok("this version has no such schedule".to_owned()),
        },
    }
}

async fn sweep(worker: &Worker) -> Result<String> {
    let due = jobs::sweep(&worker.context.store, SWEEP_LIMIT).await?;
    worker.looks.notify_one();
    Ok(format!("found {} due", due.len()))
}

async fn prune(worker: &Worker) -> Result<String> {
    let (context, settings) = (&worker.context, &worker.context.settings);
    let now = context.store.now().await?;
    let gone_events = events::retain(&context.store, now - settings.retention.events_ms).await?;
    let gone_jobs = jobs::purge(&context.store, now - settings.retention.jobs_ms).await?;
    let gone_requests = requests::purge(&context.store, now - settings.retention.requests_ms).await?;
    let gone_workers = jobs::purge_workers(&context.store, now - settings.retention.workers_ms).await?;
    let gone_pictures = timeline::forget(context, now - settings.retention.screenshots_ms).await?;
    let gone_sessions = identity::purge(&context.store, now).await?;
    let gone_deliveries = webhooks::retain(&context.store, now - settings.retention.deliveries_ms).await?;
    Ok(format!(
        "removed {gone_events} events, {gone_deliveries} webhook deliveries, {gone_jobs} jobs, \
         {gone_requests} request ids, {gone_sessions} sessions of people, {gone_workers} workers and the screenshots of \
         {gone_pictures} publish jobs"
    ))
}

async fn watch_effects(worker: &Worker) -> Result<String> {
    let context = &worker.context;
    let (mut found, mut unread) = (0, 0);
    for account_context in watch::watched_accounts(context).await? {
        match worker.marketplace.wardrobe(&account_context).await {
            Ok(wardrobe) => found += watch::compare(context, &account_context.account_id, &wardrobe).await?,
            Err(error) => {
                unread += 1;
                tracing::warn!(%error, account_id = account_context.account_id, "a watched account could not be read");
                if let SiteError::Challenge { verdict, .. } = &error {
                    crate::accounts::challenged(worker, &account_context.account_id, verdict).await?;
                }
            }
        }
    }
    Ok(format!(
        "found {found} possible duplicates; {unread} accounts could not be read"
    ))
}
