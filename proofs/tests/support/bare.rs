//! An instance in this process, without anybody who works for it, under a clock that can be moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Result;
use reqwest::Url;
use tempfile::TempDir;
use vintedbot_connector::{Config, Connector, Pacing};
use vintedbot_domain::accounts::Mode;
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::{Clock, Millis, SystemClock};
use vintedbot_domain::events::Feed;
use vintedbot_domain::identity::{self, Caller};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::jobs::Bell;
use vintedbot_domain::keys::Keys;
use vintedbot_domain::media::{files::PhotoFiles, pipeline};
use vintedbot_domain::settings::Settings;
use vintedbot_domain::{Domain, Error, Reason, Wakes, instance, store};
use vintedbot_marketplace::Sessions;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::limits::Limits;
use vintedbot_marketplace::selectors::Selectors;

use crate::postgres::Postgres;

/// Tells each chapter on an engine of its own. A chapter is given the `Stage` of its file.
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

/// The machine's clock, and how far it was moved.
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

/// An instance and its owner.
pub struct Bare {
    pub domain: Domain,
    pub clock: Arc<Moved>,
    pub caller: Caller,
    pub folder: TempDir,
    postgres: Option<Postgres>,
}

impl Bare {
    /// On SQLite in memory, or on this server.
    pub async fn open(postgres: Option<Postgres>, settings: Settings) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let clock = Arc::new(Moved::default());
        let url = match &postgres {
            Some(server) => server.url(),
            None => "sqlite::memory:".to_owned(),
        };
        let store = store::connect(&url, clock.clone(), Arc::new(SystemIds)).await?;
        // Each test has the database to itself, and moves time: this machine's clock counts.
        let store = store::Store::new(
            store.writer().clone(),
            store.reader().clone(),
            clock.clone(),
            Arc::new(SystemIds),
            false,
        );
        vintedbot_migrations::run_locked(store.writer()).await?;
        let started = instance::start(&store, folder.path(), "0.1.0", "0.1.0").await?;
        let (feed, bell) = (Feed::default(), Bell::default());
        let domain = Domain {
            store: store.with_after_commit(Arc::new(Wakes {
                feed: feed.clone(),
                bell: bell.clone(),
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
            bell,
            log_epoch: started.log_epoch.clone().into(),
        };
        let secret = identity::first_token(&domain, &started.owner_id).await?;
        let caller = identity::authenticate(&domain, Some(secret.expose())).await?;
        Ok(Self {
            domain,
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

    /// Where a worker of this instance keeps its attempts, and how it works.
    pub fn worker_config(&self, concurrency: usize) -> vintedbot_worker::Config {
        vintedbot_worker::Config {
            concurrency,
            work_dir: self.folder.path().join("attempts"),
            host: "here".to_owned(),
            sync_interval_ms: 3_600_000,
        }
    }
}

/// A way to the practice site without a browser.
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
    Settings {
        session_mode: Mode::Mock,
        confirm_token_ms: 600_000,
        signed_url_ms: 600_000,
        publish_per_minute: 100,
        publish_per_minute_account: 100,
        changes_per_minute_account: 100,
        reply_undo_ms: 0,
        replies_per_minute_account: 100,
        sync_now_per_minute: 100,
        imports_per_hour: 6,
        uploads_per_minute: 600,
        click_window_ms: 2_000,
        request_timeout_ms: 5_000,
        settle_ms: 2_000,
        settle_poll_ms: 500,
        lease_ms: 10_000,
        heartbeat_ms: 2_000,
        attempt_timeout_ms: 20_000,
        back_off_ms: 200,
        back_off_max_ms: 2_000,
        max_claims: 5,
        max_failures: 5,
        watch_ms: 7 * 24 * 3_600_000,
        events_keep_ms: 7 * 24 * 3_600_000,
        jobs_keep_ms: 30 * 24 * 3_600_000,
        deliveries_keep_ms: 30 * 24 * 3_600_000,
        requests_keep_ms: 30 * 24 * 3_600_000,
        workers_keep_ms: 30 * 24 * 3_600_000,
        unused_photos_keep_ms: 24 * 3_600_000,
        timezone: "Europe/Paris".to_owned(),
        screenshots_keep_ms: 30 * 24 * 3_600_000,
        schedule_late_ms: 3_600_000,
        browser_window: false,
    }
}

/// Why a call was refused.
pub fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Reason> {
    result.expect_err("a refusal").reason()
}
