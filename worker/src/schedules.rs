//! What runs by itself. Each schedule is a row that people can see and change; of several processes one takes each turn.

use std::sync::Arc;
use std::time::Duration;

use vintedbot_domain::inbox::sync::turns;
use vintedbot_domain::publishing::{film, watch};
use vintedbot_domain::{Result, accounts, events, jobs, media, requests, webhooks};
use vintedbot_marketplace::Error as SiteError;

use crate::Worker;

/// Rings for work that is due or abandoned.
const SWEEPER: &str = "sweeper";
/// Forgets old events, ended jobs, and what they looked like.
const RETENTION: &str = "retention";
/// Looks for what was settled as not published and appears all the same.
const LEDGER_WATCH: &str = "ledger_watch";

/// Looks at each account's session and catalog.
const ACCOUNT_SYNC: &str = "account_sync";

/// Removes files of deleted photos that could not be removed at once.
const FILE_REMOVAL: &str = "file_removal";
/// A media store that does not answer holds nothing else up.
const REMOVES_WITHIN: Duration = Duration::from_secs(5);

/// Every schedule with its interval in milliseconds, as written at first start.
pub const DEFAULTS: [(&str, i64); 5] = [
    (SWEEPER, 5_000),
    (RETENTION, 3_600_000),
    (LEDGER_WATCH, 900_000),
    (ACCOUNT_SYNC, 3_600_000),
    (FILE_REMOVAL, 60_000),
];

/// How often the table is looked at; no schedule can run more often.
const TICK: Duration = Duration::from_millis(500);
/// Jobs that one sweep rings for; the next sweep rings for the rest.
const SWEEP_LIMIT: u64 = 256;

/// Runs what is due until the drain.
pub async fn run(worker: Arc<Worker>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.drain.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = tick(&worker).await {
            tracing::warn!(%error, "schedules could not be run; tried again");
        }
    }
}

async fn tick(worker: &Worker) -> Result<()> {
    let domain = &worker.domain;
    for due in jobs::take_due(&domain.store).await? {
        let outcome = match due.id.as_str() {
            SWEEPER => sweep(worker).await,
            RETENTION => forget(worker).await,
            LEDGER_WATCH => watch_ledger(worker).await,
            FILE_REMOVAL => remove_files(worker).await,
            ACCOUNT_SYNC => accounts::queue_all(&domain.store)
                .await
                .map(|queued| format!("queued {queued}")),
            id if turns::account_of(id).is_some() => {
                turns::take(domain, turns::account_of(id).unwrap_or_default()).await
            }
            _ => Ok("this program knows no such schedule".to_owned()),
        };
        if let Err(error) = &outcome {
            tracing::warn!(schedule = due.id, %error, "a schedule failed");
        }
        jobs::complete(&domain.store, &due.id, &outcome).await?;
    }
    Ok(())
}

async fn sweep(worker: &Worker) -> Result<String> {
    let due = jobs::sweep(&worker.domain.store, SWEEP_LIMIT).await?;
    let due: Vec<_> = due.into_iter().map(|id| (id, 0)).collect();
    worker.domain.bell.ring(&due);
    jobs::heartbeat(&worker.domain.store, &worker.identity.id).await?;
    Ok(format!("rang for {}", due.len()))
}

async fn forget(worker: &Worker) -> Result<String> {
    let domain = &worker.domain;
    let now = domain.store.now().await?;
    let gone_events = events::retain(&domain.store, now - domain.settings.events_keep_ms).await?;
    let gone_jobs = jobs::purge(&domain.store, now - domain.settings.jobs_keep_ms).await?;
    let gone_requests = requests::purge(&domain.store, now - domain.settings.jobs_keep_ms).await?;
    let gone_pictures = film::forget(domain, now - domain.settings.screenshots_keep_ms).await?;
    let gone_deliveries = webhooks::retain(&domain.store, now - domain.settings.events_keep_ms).await?;
    Ok(format!(
        "removed {gone_events} events, {gone_deliveries} webhook deliveries, {gone_jobs} jobs, {gone_requests} request ids and the pictures of \
         {gone_pictures} publish jobs"
    ))
}

async fn remove_files(worker: &Worker) -> Result<String> {
    let removed = media::remove_condemned(&worker.domain);
    match tokio::time::timeout(REMOVES_WITHIN, removed).await {
        Ok(removed) => Ok(format!("removed {}", removed?)),
        Err(_) => Ok("goes on at the next turn".to_owned()),
    }
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
