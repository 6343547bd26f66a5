//! What it takes: an instance in this process under a clock that can be moved, and, where a chapter wants one, a worker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use vintedbot_connector::{Config, Connector, Outside, Pacing};
use vintedbot_domain::accounts::{Mode, StoredSessions};
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::{Clock, Millis, SystemClock};
use vintedbot_domain::events::{self, Event, Feed};
use vintedbot_domain::identity::{self, Caller};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::inbox::{self, NewTemplate};
use vintedbot_domain::jobs::Bell;
use vintedbot_domain::keys::Keys;
use vintedbot_domain::media::{files::PhotoFiles, pipeline};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::settings::Settings;
use vintedbot_domain::webhooks::{
    self, Answer, Claim, Delivery, Endpoint, EndpointInput, Filter, NewEndpoint, Secret, Sent, Targets,
};
use vintedbot_domain::{Domain, Error, Reason, Wakes, instance, store};
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::limits::Limits;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_worker::Worker;

use crate::postgres::Postgres;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
pub const LEASE: Millis = 4_000;

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

/// Says yes to everything but one address, for chapters in which nothing is sent.
#[derive(Debug)]
pub struct Anywhere;

#[async_trait]
impl Targets for Anywhere {
    async fn check(&self, url: &str) -> Result<(), String> {
        if url.contains("inside") {
            return Err("it leads to 10.0.0.1".to_owned());
        }
        Ok(())
    }
}

/// An instance, its owner, and perhaps its worker.
pub struct Stage {
    pub domain: Domain,
    pub clock: Arc<Moved>,
    pub caller: Caller,
    worker: Option<(CancellationToken, JoinHandle<Result<(), vintedbot_worker::Error>>)>,
    postgres: Option<Postgres>,
    folder: TempDir,
}

impl Stage {
    pub async fn open(postgres: Option<Postgres>) -> Result<Self> {
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
        Ok(Self {
            domain,
            clock,
            caller,
            worker: None,
            postgres,
            folder,
        })
    }

    /// Starts a worker that sends through this.
    pub fn send_through(&mut self, outside: Outside) -> Result<Arc<Outside>> {
        let outside = Arc::new(outside);
        let drain = CancellationToken::new();
        let domain = self.domain.clone();
        let clock = Arc::clone(&domain.clock);
        let connector = Connector::new(Config {
            practice_url: None,
            browser: None,
            selectors: Arc::new(Selectors::embedded().clone()),
            detector: Arc::new(Detector::embedded().clone()),
            pacing: Pacing::NONE,
            random: Arc::new(|| u64::from_le_bytes(SystemIds.secret()[..8].try_into().unwrap_or_default())),
            request_timeout: Duration::from_secs(5),
            sessions: Some(Arc::new(StoredSessions::new(domain.clone()))),
            proxy: None,
            clock: Arc::new(move || clock.now()),
            attempt_time: Duration::from_secs(30),
        })?;
        let config = vintedbot_worker::Config {
            concurrency: 2,
            work_dir: self.folder.path().join("attempts"),
            host: "here".to_owned(),
            sync_interval_ms: 3_600_000,
        };
        let worker = Worker::new(domain, Arc::new(connector), config, drain.clone());
        let worker = tokio::spawn(worker.with_webhooks(Arc::clone(&outside)).run());
        self.worker = Some((drain, worker));
        Ok(outside)
    }

    pub async fn close(self) -> Result<()> {
        if let Some((drain, worker)) = self.worker {
            drain.cancel();
            timeout(PATIENCE, worker).await???;
        }
        match self.postgres {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    pub fn pass(&self, milliseconds: Millis) {
        self.clock.0.fetch_add(milliseconds, Ordering::SeqCst);
        self.domain.feed.hint_webhooks();
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    pub async fn endpoint(&self, url: &str, event_types: &[&str]) -> Result<(Endpoint, Secret)> {
        self.endpoint_like(EndpointInput {
            url: url.to_owned(),
            event_types: event_types.iter().map(|one| (*one).to_owned()).collect(),
            ..EndpointInput::default()
        })
        .await
    }

    pub async fn endpoint_like(&self, endpoint: EndpointInput) -> Result<(Endpoint, Secret)> {
        let new = NewEndpoint {
            endpoint,
            secret: None,
            request_id: None,
        };
        let made = webhooks::create(&self.domain, &self.caller, &Anywhere, new).await?;
        Ok((made.endpoint, made.secret.context("a new endpoint has a secret")?))
    }

    /// Something happens: a template of that name is made.
    pub async fn happens(&self, name: &str) -> Result<()> {
        let new = NewTemplate {
            name: name.to_owned(),
            text: "Hello".to_owned(),
            request_id: None,
        };
        inbox::create_template(&self.domain, &self.caller, new).await?;
        Ok(())
    }

    pub async fn events(&self) -> Result<Vec<Event>> {
        Ok(events::read(&self.domain.store, &self.caller.owner_id, 0, 1_000)
            .await?
            .events)
    }

    /// Passes on everything that the log has.
    pub async fn pass_on(&self) -> Result<()> {
        for id in webhooks::behind(&self.domain.store).await? {
            while webhooks::fan_out(&self.domain, &id).await? {}
        }
        Ok(())
    }

    /// The deliveries to an endpoint, oldest event first.
    pub async fn deliveries(&self, endpoint: &Endpoint) -> Result<Vec<Delivery>> {
        let filter = Filter {
            endpoint_id: Some(endpoint.id.clone()),
            ..Filter::default()
        };
        let page = PageRequest {
            size: 200,
            token: String::new(),
        };
        let mut page = webhooks::list_deliveries(&self.domain, &self.caller, &filter, &page).await?;
        page.items.sort_by_key(|one| one.event_sequence);
        Ok(page.items)
    }

    pub async fn look(&self, endpoint: &Endpoint) -> Result<Endpoint> {
        Ok(webhooks::get(&self.domain, &self.caller, &endpoint.id).await?)
    }

    pub async fn claim(&self, endpoint: &Endpoint) -> Result<Vec<Claim>> {
        Ok(webhooks::claim(&self.domain, &endpoint.id, 8, LEASE).await?)
    }

    /// Writes down that this came back.
    pub async fn answered(&self, claim: &Claim, status: u16, retry_after_ms: Option<Millis>) -> Result<()> {
        let sent = Sent {
            time: self.now(),
            duration_ms: 5,
            request_headers: Vec::new(),
            outcome: Ok(Answer {
                status,
                retry_after_ms,
                ..Answer::default()
            }),
        };
        Ok(webhooks::record(&self.domain.store, claim, sent).await?)
    }

    /// A caller of another owner in the same database.
    pub async fn stranger(&self) -> Result<Caller> {
        let id = self.domain.ids.id();
        for statement in [
            format!("INSERT INTO owners (id, name, create_time) VALUES ('{id}', 'stranger', 0)"),
            format!("INSERT INTO event_heads (owner_id, sequence, floor) VALUES ('{id}', 0, 0)"),
        ] {
            self.domain.store.writer().execute_unprepared(&statement).await?;
        }
        let secret = identity::first_token(&self.domain, &id).await?;
        Ok(identity::authenticate(&self.domain, Some(secret.expose())).await?)
    }
}

/// Waits until something holds.
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let waited = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waited)
        .await
        .with_context(|| format!("waited for: {what}"))?
}

pub fn local(address: SocketAddr, path: &str) -> String {
    format!("http://{address}{path}")
}

pub fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Reason> {
    result.expect_err("a refusal").reason()
}

/// The fields that a call found fault with.
pub fn violated<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    match result.expect_err("violations") {
        Error::Invalid(violations) => violations.into_iter().map(|violation| violation.field).collect(),
        other => panic!("no violations: {other}"),
    }
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
        click_window_ms: 1_000,
        request_timeout_ms: 5_000,
        settle_ms: 2_000,
        settle_poll_ms: 500,
        lease_ms: LEASE,
        heartbeat_ms: 1_000,
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
