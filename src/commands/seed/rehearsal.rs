//! A worker for seeding, driven step by step before the regular worker starts. It has short waits and no rate limits.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;
use vintedbot_domain::clock::{Clock, Millis, SystemClock};
use vintedbot_domain::identity::Caller;
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::settings::Settings;
use vintedbot_domain::{Context, accounts, jobs};
use vintedbot_worker::Worker;

use crate::config::{Browser, Config};
use crate::parts::site;

/// The maximum wait for one outcome.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two sweeps.
const PAUSE: Duration = Duration::from_millis(20);
/// The maximum jobs of one sweep.
const SWEEP_LIMIT: u64 = 64;
/// A week, so that the seeded confirmations are still valid on the next day.
const CONFIRM_TOKEN: Millis = 7 * 24 * 3_600_000;

/// The age of the seeded data. Without it, seeding would use up the rate limits of the first minutes.
const AGE: Millis = 2 * 3_600_000;

/// A clock that is behind the machine's clock by [`AGE`].
#[derive(Debug)]
struct Earlier(SystemClock);

impl Clock for Earlier {
    fn now(&self) -> Millis {
        self.0.now() - AGE
    }

    fn since_boot(&self) -> Millis {
        self.0.since_boot()
    }
}

/// Two workers for seeding.
pub struct Rehearsal {
    /// The domain context of the regular worker.
    pub context: Context,
    regular: Arc<Worker>,
    /// A worker whose confirmations expire immediately.
    expiring: Arc<Worker>,
}

/// Returns whether the instance has no accounts.
pub async fn has_no_accounts(context: &Context, caller: &Caller) -> Result<bool> {
    let page = accounts::list(context, caller, &PageRequest::default()).await?;
    Ok(page.items.is_empty())
}

impl Rehearsal {
    pub async fn start(config: &Config, context: &Context, practice_url: &str) -> Result<Self> {
        let mut config = config.clone();
        config.browser.mode = Browser::Off;
        config.browser.pacing_ms = 0;
        let mut settings = config.settings();
        settings.confirm_token_ms = CONFIRM_TOKEN;
        settings.publish.per_minute = 1_000;
        settings.publish.per_minute_account = 1_000;
        settings.publish.changes_per_minute_account = 1_000;
        settings.replies.undo_ms = 0;
        settings.replies.per_minute_account = 1_000;
        settings.sync.now_per_minute = 1_000;
        settings.effects.settle_ms = 4_000;
        settings.effects.settle_poll_ms = 200;
        settings.jobs.backoff_ms = 100;
        let rehearsed = Context {
            settings: Arc::new(settings.clone()),
            ..context.clone()
        };
        let connector = Arc::new(site::connect(&config, practice_url, &rehearsed)?);
        let clock = Arc::new(Earlier(SystemClock));
        let context = |settings: Settings| Context {
            settings: Arc::new(settings),
            store: context.store.clone().with_clock(clock.clone()),
            clock: clock.clone(),
            ..context.clone()
        };
        let worker = |context: Context| {
            let worker_config = vintedbot_worker::Config {
                concurrency: 1,
                work_dir: config.data_dir.join("attempts"),
                host: config.host(),
                sync_interval_ms: config.sync.interval_ms,
            };
            Arc::new(Worker::new(
                context,
                connector.clone(),
                worker_config,
                CancellationToken::new(),
            ))
        };
        let expiring = worker(context(Settings {
            confirm_token_ms: 1,
            ..settings.clone()
        }));
        let context = context(settings);
        let regular = worker(context.clone());
        regular.open().await?;
        expiring.open().await?;
        Ok(Self {
            context,
            regular,
            expiring,
        })
    }

    /// Executes due jobs until `done` returns true.
    pub async fn until(&self, what: &str, done: impl AsyncFn() -> Result<bool>) -> Result<()> {
        self.work(&self.regular, what, done).await
    }

    /// Executes due jobs with the worker whose confirmations expire immediately.
    pub async fn hurry(&self, done: impl AsyncFn() -> Result<bool>) -> Result<()> {
        self.work(&self.expiring, "an expired confirmation", done).await
    }

    async fn work(
        &self,
        worker: &Arc<Worker>,
        what: &str,
        done: impl AsyncFn() -> Result<bool>,
    ) -> Result<()> {
        let working = async {
            while !done().await? {
                for job_id in jobs::sweep(&self.context.store, SWEEP_LIMIT).await? {
                    worker.work_on(&job_id).await?;
                }
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        };
        match tokio::time::timeout(TIMEOUT, working).await {
            Ok(result) => result,
            Err(_) => bail!("{what} was not reached within {} seconds", TIMEOUT.as_secs()),
        }
    }

    /// Closes both workers, so that a later worker does not wait for their leases.
    pub async fn stop(&self) -> Result<()> {
        self.regular.close().await?;
        self.expiring.close().await?;
        Ok(())
    }
}
