//! An instance in this process without a worker, under a clock that tests can advance.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Result;
use reqwest::Url;
use tempfile::TempDir;
use vintedbot_connector::{Config, Connector, Pacing};
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::{Clock, Millis, SystemClock};
use vintedbot_domain::events::Feed;
use vintedbot_domain::identity::{self, Caller, People};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::jobs::JobNotifier;
use vintedbot_domain::keys::Keys;
use vintedbot_domain::media::{files::PhotoFiles, pipeline};
use vintedbot_domain::settings::Settings;
use vintedbot_domain::{Context, Error, Reason, Wakes, instance, store};
use vintedbot_marketplace::Sessions;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::limits::Limits;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_proofs::people::context::NoMail;

use crate::postgres::Postgres;

/// Runs each chapter on both engines. Each chapter receives the `Stage` of its file.
macro_rules! on_both_engines {
    ($($part:ident::$chapter:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $chapter() -> anyhow::Result<()> {
                super::$part::$chapter(super::Stage::open(None).await?).await
            })*
        }

        mod on_postgresql {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $chapter() -> anyhow::Result<()> {
                let server = super::Postgres::start().await?;
                super::$part::$chapter(super::Stage::open(Some(server)).await?).await
            })*
        }
    };
}

/// The machine's clock with an offset.
#[derive(Debug, Default)]
pub struct Moved(pub AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Millis {
        SystemClock.now() + self.0.load(Ordering::SeqCst)
    }

    fn since_boot(&self) -> Millis {
        SystemClock.since_boot() + self.0.load(Ordering::SeqCst)
    }
}

/// An instance and its workspace.
pub struct Bare {
    pub context: Context,
    pub clock: Arc<Moved>,
    pub caller: Caller,
    pub folder: TempDir,
    postgres: Option<Postgres>,
}

impl Bare {
    /// Opens an instance on SQLite in memory, or on the given server.
    pub async fn open(postgres: Option<Postgres>, settings: Settings) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let clock = Arc::new(Moved::default());
        let url = match &postgres {
            Some(server) => server.url(),
            None => "sqlite::memory:".to_owned(),
        };
        let store = store::connect(&url, clock.clone(), Arc::new(SystemIds)).await?;
        // Each test has its own database and advances time, so this machine's clock counts.
        let store = store::Store::new(
            store.writer().clone(),
            store.reader().clone(),
            clock.clone(),
            Arc::new(SystemIds),
            false,
        );
        vintedbot_migrations::run_locked(store.writer()).await?;
        let started = instance::start(&store, folder.path(), "0.1.0", "0.1.0").await?;
        let (feed, notifier) = (Feed::default(), JobNotifier::default());
        let context = Context {
            store: store.with_after_commit(Arc::new(Wakes {
                feed: feed.clone(),
                notifier: notifier.clone(),
            })),
            keys: Arc::new(Keys::new([7; 32])),
            files: Arc::new(PhotoFiles::open(&folder.path().join("media"))?),
            clock: clock.clone(),
            ids: Arc::new(SystemIds),
            settings: Arc::new(settings),
            limits: Arc::new(Limits::embedded().clone()),
            photo_limits: Arc::new(pipeline::Limits::default()),
            catalogs: Catalogs::default(),
            feed,
            notifier,
            log_epoch: started.log_epoch.clone().into(),
            people: Arc::new(People::new(&started.instance_id, "", Arc::new(NoMail))),
        };
        let secret = identity::first_token(&context, &started.workspace_id).await?;
        let caller = identity::authenticate(&context, Some(secret.expose())).await?;
        Ok(Self {
            context,
            clock,
            caller,
            folder,
            postgres,
        })
    }

    /// Stops the server, if there is one.
    pub async fn close(self) -> Result<()> {
        match self.postgres {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    /// Returns the configuration of a worker of this instance.
    pub fn worker_config(&self, concurrency: usize) -> vintedbot_worker::Config {
        vintedbot_worker::Config {
            concurrency,
            work_dir: self.folder.path().join("attempts"),
            host: "here".to_owned(),
            sync_interval_ms: 3_600_000,
        }
    }
}

/// Returns a connector to the practice site without a browser.
pub fn connector(
    practice_url: Option<Url>,
    clock: Arc<dyn Clock>,
    sessions: impl Sessions,
) -> Result<Connector> {
    Ok(Connector::new(Config {
        practice_url,
        browser: None,
        selectors: Arc::new(Selectors::embedded().clone()),
        detector: Arc::new(Detector::embedded().clone()),
        pacing: Pacing::NONE,
        random: Arc::new(|| u64::from_le_bytes(SystemIds.secret()[..8].try_into().unwrap_or_default())),
        request_timeout: Duration::from_secs(5),
        sessions: Some(Arc::new(sessions)),
        proxy: None,
        clock: Arc::new(move || clock.now()),
        attempt_time: Duration::from_secs(30),
    })?)
}

pub fn settings() -> Settings {
    let mut settings: Settings =
        toml::from_str(include_str!("../../../config.default.toml")).expect("the default settings");
    settings.timezone = "Europe/Paris".to_owned();
    settings.publish.per_minute = 100;
    settings.publish.per_minute_account = 100;
    settings.publish.changes_per_minute_account = 100;
    settings.replies.undo_ms = 0;
    settings.replies.per_minute_account = 100;
    settings.sync.now_per_minute = 100;
    settings.limits.imports_per_hour = 6;
    settings.effects.click_window_ms = 2_000;
    settings.effects.request_timeout_ms = 5_000;
    settings.effects.settle_ms = 2_000;
    settings.effects.settle_poll_ms = 500;
    settings.jobs.lease_ms = 10_000;
    settings.jobs.heartbeat_ms = 2_000;
    settings.jobs.attempt_timeout_ms = 20_000;
    settings.jobs.backoff_ms = 200;
    settings.jobs.backoff_max_ms = 2_000;
    settings.jobs.max_claims = 5;
    settings.jobs.max_failures = 5;
    settings
}

/// Returns the reason of a refused call.
pub fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Reason> {
    result.expect_err("a refusal").reason()
}
