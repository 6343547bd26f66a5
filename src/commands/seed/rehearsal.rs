//! A worker that is driven by hand, with short waits and without limits of its own, before the real one starts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;
use vintedbot_domain::clock::{Clock, Millis, SystemClock};
use vintedbot_domain::identity::Caller;
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::settings::Settings;
use vintedbot_domain::{Domain, accounts, jobs};
use vintedbot_worker::Worker;

use crate::config::{Browser, Config};
use crate::parts::site;

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two looks at what is due.
const PAUSE: Duration = Duration::from_millis(20);
/// Jobs that one look finds.
const SWEEP_LIMIT: u64 = 64;
/// A week: who starts an instance today still finds something to confirm tomorrow.
const CONFIRM_TOKEN: Millis = 7 * 24 * 3_600_000;

/// How long before now the data was made, as far as it says: the limits of the first minutes belong to the person.
const AGO: Millis = 2 * 3_600_000;

/// The machine's clock, some time ago.
#[derive(Debug)]
struct Earlier(SystemClock);

impl Clock for Earlier {
    fn now(&self) -> Millis {
        self.0.now() - AGO
    }

    fn since_boot(&self) -> Millis {
        self.0.since_boot()
    }
}

/// The worker, in two tempers.
pub struct Rehearsal {
    /// The domain as the usual worker sees it.
    pub domain: Domain,
    usual: Arc<Worker>,
    /// Its confirmations expire at once.
    hasty: Arc<Worker>,
}

/// Whether nobody has made anything of this instance yet.
pub async fn has_no_accounts(domain: &Domain, caller: &Caller) -> Result<bool> {
    let page = accounts::list(domain, caller, &PageRequest::default()).await?;
    Ok(page.items.is_empty())
}

impl Rehearsal {
    pub async fn start(config: &Config, domain: &Domain, practice_url: &str) -> Result<Self> {
        let config = Config {
            browser: Browser::Off,
            pacing_ms: 0,
            ..config.clone()
        };
        let settings = Settings {
            publish_per_minute: 1_000,
            publish_per_minute_account: 1_000,
            changes_per_minute_account: 1_000,
            reply_undo_ms: 0,
            replies_per_minute_account: 1_000,
            sync_now_per_minute: 1_000,
            confirm_token_ms: CONFIRM_TOKEN,
            settle_ms: 4_000,
            settle_poll_ms: 200,
            back_off_ms: 100,
            ..config.settings()
        };
        let rehearsed = Domain {
            settings: Arc::new(settings.clone()),
            ..domain.clone()
        };
        let connector = Arc::new(site::connect(&config, practice_url, &rehearsed)?);
        let clock = Arc::new(Earlier(SystemClock));
        let domain = |settings: Settings| Domain {
            settings: Arc::new(settings),
            store: domain.store.clone().with_clock(clock.clone()),
            clock: clock.clone(),
            ..domain.clone()
        };
        let worker = |domain: Domain| {
            let worker_config = vintedbot_worker::Config {
                concurrency: 1,
                work_dir: config.data_dir.join("attempts"),
                host: config.host(),
                sync_interval_ms: config.sync_interval_min * 60_000,
            };
            Arc::new(Worker::new(
                domain,
                connector.clone(),
                worker_config,
                CancellationToken::new(),
            ))
        };
        let hasty = worker(domain(Settings {
            confirm_token_ms: 1,
            ..settings.clone()
        }));
        let domain = domain(settings);
        let usual = worker(domain.clone());
        usual.open().await?;
        hasty.open().await?;
        Ok(Self { domain, usual, hasty })
    }

    /// Works on what is due until `done` says so.
    pub async fn until(&self, what: &str, done: impl AsyncFn() -> Result<bool>) -> Result<()> {
        self.work(&self.usual, what, done).await
    }

    /// The same, with confirmations that nobody can give in time.
    pub async fn hurry(&self, done: impl AsyncFn() -> Result<bool>) -> Result<()> {
        self.work(&self.hasty, "an expired confirmation", done).await
    }

    async fn work(
        &self,
        worker: &Arc<Worker>,
        what: &str,
        done: impl AsyncFn() -> Result<bool>,
    ) -> Result<()> {
        let working = async {
            while !done().await? {
                for job_id in jobs::sweep(&self.domain.store, SWEEP_LIMIT).await? {
                    worker.work_on(&job_id).await?;
                }
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        };
        match tokio::time::timeout(PATIENCE, working).await {
            Ok(result) => result,
            Err(_) => bail!("{what} did not come about within {} seconds", PATIENCE.as_secs()),
        }
    }

    /// Leaves nothing that a later worker would wait for.
    pub async fn stop(&self) -> Result<()> {
        self.usual.close().await?;
        self.hasty.close().await?;
        Ok(())
    }
}
