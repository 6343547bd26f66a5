//! What it takes: a site, an instance in this process, and an account on it, under a clock that can be moved.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use vintedbot_connector::{Config, Connector, Pacing};
use vintedbot_domain::accounts::{
    self, Account, ImportSession, Mode, NewAccount, SessionSource, StoredSessions,
};
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::{Clock, Millis, SystemClock};
use vintedbot_domain::events::{self, Feed, Kind};
use vintedbot_domain::identity::{self, Caller};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::jobs::{Bell, State};
use vintedbot_domain::keys::Keys;
use vintedbot_domain::media::{files::PhotoFiles, pipeline};
use vintedbot_domain::settings::Settings;
use vintedbot_domain::store::entities::jobs;
use vintedbot_domain::{Domain, Error, Reason, Wakes, instance, store};
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::limits::Limits;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{Seat, Session, Sessions};
use vintedbot_practice::{Practice, Running};
use vintedbot_proofs::records::{SignedIn, Site};
use vintedbot_worker::Worker;
use zeroize::Zeroizing;

use crate::postgres::Postgres;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than a renewal whose asker is gone is waited out.
pub const WAITED_OUT: Millis = 15_000;
pub const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";

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

/// A site, an instance in this process, and an account on it.
pub struct Stage {
    pub site: Site,
    pub domain: Domain,
    pub clock: Arc<Moved>,
    pub caller: Caller,
    pub account: Account,
    drain: CancellationToken,
    worker: JoinHandle<Result<(), vintedbot_worker::Error>>,
    practice: Running,
    postgres: Option<Postgres>,
    _folder: TempDir,
}

impl Stage {
    pub async fn open(postgres: Option<Postgres>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = vintedbot_practice::Config {
            visible_delay_ms: 0,
            ..Default::default()
        };
        let practice = Practice::bind(SocketAddr::from(([127, 0, 0, 1], 0)), config).await?;
        let site = Site::new(&format!("http://{}", practice.local_addr()))?;
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
            settings: Arc::new(settings()),
            limits: Arc::new(Limits::embedded().clone()),
            photo_limits: Arc::new(pipeline::Limits::default()),
            catalogs: Catalogs::default(),
            feed,
            bell,
            log_epoch: started.log_epoch.clone().into(),
        };
        let secret = identity::first_token(&domain, &started.owner_id).await?;
        let caller = identity::authenticate(&domain, Some(secret.expose())).await?;
        let drain = CancellationToken::new();
        let worker = Worker::new(
            domain.clone(),
            Arc::new(connector(&site, &domain, StoredSessions::new(domain.clone()))?),
            vintedbot_worker::Config {
                concurrency: 4,
                work_dir: folder.path().join("attempts"),
                host: "here".to_owned(),
                sync_interval_ms: 3_600_000,
            },
            drain.clone(),
        );
        let worker = tokio::spawn(worker.run());
        let new = NewAccount {
            display_name: "Sophie".to_owned(),
            market: "fr".to_owned(),
            language: String::new(),
            mode: Some(Mode::Mock),
            request_id: None,
        };
        let account = accounts::create(&domain, &caller, new).await?;
        let mut stage = Self {
            site,
            domain,
            clock,
            caller,
            account,
            drain,
            worker,
            practice,
            postgres,
            _folder: folder,
        };
        // It is entered without a session first, and so has a member there.
        for _ in 0..600 {
            stage.account = stage.look().await?;
            if stage.account.member_id.is_some() {
                return Ok(stage);
            }
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("the account was not connected")
    }

    pub async fn close(self) -> Result<()> {
        self.drain.cancel();
        timeout(PATIENCE, self.worker).await???;
        self.practice.stop().await?;
        match self.postgres {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    pub async fn look(&self) -> Result<Account> {
        Ok(accounts::get(&self.domain, &self.caller, &self.account.id).await?)
    }

    pub fn login(&self) -> &str {
        self.account.member_login.as_deref().unwrap_or_default()
    }

    /// Another process's way to the same database and site.
    pub fn other_process(&self) -> Result<Connector> {
        connector(&self.site, &self.domain, StoredSessions::new(self.domain.clone()))
    }

    pub fn wanted(&self, signed_in: &SignedIn) -> ImportSession {
        ImportSession {
            account_id: self.account.id.clone(),
            source: SessionSource::CookieHeader(Zeroizing::new(signed_in.header())),
            user_agent: AGENT.to_owned(),
            expire_time: None,
            accept_other_member: false,
            request_id: None,
        }
    }

    pub async fn import(&self, import: ImportSession) -> Result<accounts::Imported, Error> {
        timeout(
            PATIENCE,
            accounts::import_session(&self.domain, &self.caller, import),
        )
        .await
        .expect("an answer in time")
    }

    /// Brings a session whose access token is about to end by our clock, and whose next one lasts.
    pub async fn import_stale(&self) -> Result<SignedIn> {
        let moved_s = self.clock.0.load(Ordering::SeqCst) / 1_000;
        self.site
            .set(&json!({"access_token_ttl_s": moved_s + 7_200}))
            .await?;
        let signed_in = self.site.sign_in(self.login()).await?;
        self.site
            .set(&json!({"access_token_ttl_s": moved_s + 30_000}))
            .await?;
        self.import(self.wanted(&signed_in)).await?;
        self.idle().await?;
        self.clock.0.fetch_add(7_100_000, Ordering::SeqCst);
        Ok(signed_in)
    }

    /// Waits until the worker has nothing to do.
    pub async fn idle(&self) -> Result<()> {
        for _ in 0..600 {
            let open = jobs::Entity::find()
                .filter(jobs::Column::State.is_in([State::Queued, State::Running]))
                .count(self.domain.store.reader())
                .await?;
            if open == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the worker goes on and on")
    }

    pub async fn seat(&self) -> Result<Seat> {
        let seat = accounts::seat_of(&self.domain, &self.account.id).await?;
        seat.context("the account is there")
    }

    /// What is kept for the account, as a connector would get it.
    pub async fn stored(&self) -> Result<Session> {
        let sessions = StoredSessions::new(self.domain.clone());
        let stored = sessions.load(&self.seat().await?).await?;
        stored.context("there is a session")
    }

    pub async fn happened(&self, kind: Kind) -> Result<usize> {
        let page = events::read(&self.domain.store, &self.caller.owner_id, 0, 1_000).await?;
        Ok(page.events.iter().filter(|event| event.kind == kind).count())
    }
}

pub fn connector(site: &Site, domain: &Domain, sessions: impl Sessions) -> Result<Connector> {
    let clock = Arc::clone(&domain.clock);
    Ok(Connector::new(Config {
        practice_url: Some(site.url().parse()?),
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

fn settings() -> Settings {
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

pub fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Reason> {
    result.expect_err("a refusal").reason()
}
