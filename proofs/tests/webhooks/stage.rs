//! The stage for webhook tests: an instance in this process under a clock that tests can advance, and optionally a
//! worker.

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
use vintedbot_connector::EgressClient;
use vintedbot_domain::Error;
use vintedbot_domain::accounts::StoredSessions;
use vintedbot_domain::clock::{Clock as _, Millis};
use vintedbot_domain::events::{self, Event};
use vintedbot_domain::identity::{self, Caller};
use vintedbot_domain::inbox::{self, NewTemplate};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::webhooks::{
    self, Answer, Claim, Delivery, Endpoint, EndpointInput, Filter, NewEndpoint, Secret, Sent, Targets,
};
use vintedbot_worker::Worker;

use crate::bare::{Bare, connector, settings};
use crate::postgres::Postgres;

/// The longest that any step here may take.
const PATIENCE: Duration = Duration::from_secs(60);
pub const LEASE: Millis = 4_000;

/// Accepts every address but one, for chapters in which nothing is sent.
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

/// An instance, and optionally its worker.
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
        let mut settings = settings();
        settings.jobs.lease_ms = LEASE;
        settings.jobs.heartbeat_ms = 1_000;
        Ok(Self {
            bare: Bare::open(postgres, settings).await?,
            worker: None,
        })
    }

    /// Starts a worker that sends through this client.
    pub fn send_through(&mut self, egress: EgressClient) -> Result<Arc<EgressClient>> {
        let egress = Arc::new(egress);
        let drain = CancellationToken::new();
        let context = self.context.clone();
        let sessions = StoredSessions::new(context.clone());
        let connector = Arc::new(connector(None, self.clock.clone(), sessions)?);
        let worker = Worker::new(context, connector, self.worker_config(2), drain.clone());
        let worker = tokio::spawn(worker.with_webhooks(Arc::clone(&egress)).run());
        self.worker = Some((drain, worker));
        Ok(egress)
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
        self.context.feed.hint_webhooks();
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
        let made = webhooks::create(&self.context, &self.caller, &Anywhere, new).await?;
        Ok((made.endpoint, made.secret.context("a new endpoint has a secret")?))
    }

    /// Creates a template of this name, which writes an event.
    pub async fn happens(&self, name: &str) -> Result<()> {
        let new = NewTemplate {
            name: name.to_owned(),
            text: "Hello".to_owned(),
            request_id: None,
        };
        inbox::create_template(&self.context, &self.caller, new).await?;
        Ok(())
    }

    pub async fn events(&self) -> Result<Vec<Event>> {
        Ok(
            events::read(&self.context.store, &self.caller.workspace_id, 0, 1_000)
                .await?
                .events,
        )
    }

    /// Writes the deliveries of all events in the log.
    pub async fn pass_on(&self) -> Result<()> {
        for id in webhooks::behind(&self.context.store).await? {
            while webhooks::fan_out(&self.context, &id).await? {}
        }
        Ok(())
    }

    /// Returns the deliveries to an endpoint, oldest event first.
    pub async fn deliveries(&self, endpoint: &Endpoint) -> Result<Vec<Delivery>> {
        let filter = Filter {
            endpoint_id: Some(endpoint.id.clone()),
            ..Filter::default()
        };
        let page = PageRequest {
            size: 200,
            token: String::new(),
        };
        let mut page = webhooks::list_deliveries(&self.context, &self.caller, &filter, &page).await?;
        page.items.sort_by_key(|one| one.event_sequence);
        Ok(page.items)
    }

    pub async fn look(&self, endpoint: &Endpoint) -> Result<Endpoint> {
        Ok(webhooks::get(&self.context, &self.caller, &endpoint.id).await?)
    }

    pub async fn claim(&self, endpoint: &Endpoint) -> Result<Vec<Claim>> {
        Ok(webhooks::claim(&self.context, &endpoint.id, 8, LEASE).await?)
    }

    /// Stores the answer to a delivery.
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
        Ok(webhooks::record(&self.context.store, claim, sent).await?)
    }

    /// Returns a caller of another workspace in the same database.
    pub async fn stranger(&self) -> Result<Caller> {
        let id = self.context.ids.id();
        for statement in [
            format!("INSERT INTO workspaces (id, name, create_time) VALUES ('{id}', 'stranger', 0)"),
            format!("INSERT INTO event_heads (workspace_id, sequence, floor) VALUES ('{id}', 0, 0)"),
        ] {
            self.context.store.writer().execute_unprepared(&statement).await?;
        }
        let secret = identity::first_token(&self.context, &id).await?;
        Ok(identity::authenticate(&self.context, Some(secret.expose())).await?)
    }
}

/// Waits until a condition holds.
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

/// Returns the fields that the violations of a refused call name.
pub fn violated<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    match result.expect_err("violations") {
        Error::Invalid(violations) => violations.into_iter().map(|violation| violation.field).collect(),
        other => panic!("no violations: {other}"),
    }
}
