//! What it takes: an instance in this process under a clock that can be moved, and, where a chapter wants one, a worker.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use sea_orm::ConnectionTrait as _;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use vintedbot_connector::Outside;
use vintedbot_domain::Error;
use vintedbot_domain::accounts::StoredSessions;
use vintedbot_domain::clock::{Clock as _, Millis};
use vintedbot_domain::events::{self, Event};
use vintedbot_domain::identity::{self, Caller};
use vintedbot_domain::inbox::{self, NewTemplate};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::settings::Settings;
use vintedbot_domain::webhooks::{
    self, Answer, Claim, Delivery, Endpoint, EndpointInput, Filter, NewEndpoint, Secret, Sent, Targets,
};
use vintedbot_worker::Worker;

use crate::bare::{Bare, connector, settings};
use crate::postgres::Postgres;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
pub const LEASE: Millis = 4_000;

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

/// An instance, and perhaps its worker.
pub struct Stage {
    bare: Bare,
    worker: Option<(CancellationToken, JoinHandle<Result<(), vintedbot_worker::Error>>)>,
}

impl Deref for Stage {
    type Target = Bare;

    fn deref(&self) -> &Bare {
        &self.bare
    }
}

impl Stage {
    pub async fn open(postgres: Option<Postgres>) -> Result<Self> {
        let settings = Settings {
            lease_ms: LEASE,
            heartbeat_ms: 1_000,
            ..settings()
        };
        Ok(Self {
            bare: Bare::open(postgres, settings).await?,
            worker: None,
        })
    }

    /// Starts a worker that sends through this.
    pub fn send_through(&mut self, outside: Outside) -> Result<Arc<Outside>> {
        let outside = Arc::new(outside);
        let drain = CancellationToken::new();
        let domain = self.domain.clone();
        let sessions = StoredSessions::new(domain.clone());
        let connector = Arc::new(connector(None, self.clock.clone(), sessions)?);
        let worker = Worker::new(domain, connector, self.worker_config(2), drain.clone());
        let worker = tokio::spawn(worker.with_webhooks(Arc::clone(&outside)).run());
        self.worker = Some((drain, worker));
        Ok(outside)
    }

    pub async fn close(self) -> Result<()> {
        if let Some((drain, worker)) = self.worker {
            drain.cancel();
            timeout(PATIENCE, worker).await???;
        }
        self.bare.close().await
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

/// The fields that a call found fault with.
pub fn violated<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    match result.expect_err("violations") {
        Error::Invalid(violations) => violations.into_iter().map(|violation| violation.field).collect(),
        other => panic!("no violations: {other}"),
    }
}
