//! The stage for session tests: a site, an instance in this process and an account, under a clock that tests can
//! advance.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use vintedbot_connector::Connector;
use vintedbot_domain::accounts::{
    self, Account, ImportSession, Mode, NewAccount, SessionSource, StoredSessions,
};
use vintedbot_domain::clock::Millis;
use vintedbot_domain::events::{self, Kind};
use vintedbot_domain::jobs::State;
use vintedbot_domain::store::entities::jobs;
use vintedbot_domain::{Context, Error};
use vintedbot_marketplace::{AccountContext, Session, Sessions};
use vintedbot_practice::{Practice, Running};
use vintedbot_proofs::records::{SignedIn, Site};
use vintedbot_worker::Worker;
use zeroize::Zeroizing;

use crate::bare::{self, Bare, settings};
use crate::postgres::Postgres;

/// The longest that any step here may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than the wait for a renewal whose process is gone.
pub const RENEWAL_WAIT: Millis = 15_000;
pub const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";

/// A site, an instance in this process, and an account on the site.
pub struct Stage {
    pub site: Site,
    bare: Bare,
    pub account: Account,
    drain: CancellationToken,
    worker: JoinHandle<Result<(), vintedbot_worker::Error>>,
    practice: Running,
}

impl Deref for Stage {
    type Target = Bare;

    fn deref(&self) -> &Bare {
        &self.bare
    }
}

impl Stage {
    pub async fn open(postgres: Option<Postgres>) -> Result<Self> {
        let config = vintedbot_practice::Config {
            visible_delay_ms: 0,
            ..Default::default()
        };
        let practice = Practice::bind(SocketAddr::from(([127, 0, 0, 1], 0)), config).await?;
        let site = Site::new(&format!("http://{}", practice.local_addr()))?;
        let bare = Bare::open(postgres, settings()).await?;
        let (context, caller) = (&bare.context, &bare.caller);
        let drain = CancellationToken::new();
        let worker = Worker::new(
            context.clone(),
            Arc::new(connector(&site, context, StoredSessions::new(context.clone()))?),
            bare.worker_config(4),
            drain.clone(),
        );
        let worker = tokio::spawn(worker.run());
        let new = NewAccount {
            display_name: "Sophie".to_owned(),
            market: "fr".to_owned(),
            language: String::new(),
            mode: Some(Mode::Mock),
            request_id: None,
            second_account_acknowledged: true,
        };
        let account = accounts::create(context, caller, new).await?;
        let mut stage = Self {
            site,
            bare,
            account,
            drain,
            worker,
            practice,
        };
        // The account enters the site without a session first, so the site has a member for it.
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
        self.bare.close().await
    }

    pub async fn look(&self) -> Result<Account> {
        Ok(accounts::get(&self.context, &self.caller, &self.account.id).await?)
    }

    pub fn login(&self) -> &str {
        self.account.member_login.as_deref().unwrap_or_default()
    }

    /// Returns a connector of another process on the same database and site.
    pub fn other_process(&self) -> Result<Connector> {
        connector(
            &self.site,
            &self.context,
            StoredSessions::new(self.context.clone()),
        )
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
            accounts::import_session(&self.context, &self.caller, import),
        )
        .await
        .expect("an answer in time")
    }

    /// Imports a session whose access token is about to expire by our clock. The next token is valid for longer.
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

    /// Waits until the worker has no jobs.
    pub async fn idle(&self) -> Result<()> {
        for _ in 0..600 {
            let open = jobs::Entity::find()
                .filter(jobs::Column::State.is_in([State::Queued, State::Running]))
                .count(self.context.store.reader())
                .await?;
            if open == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the worker does not finish its jobs")
    }

    pub async fn account_context(&self) -> Result<AccountContext> {
        let account_context = accounts::account_context_of(&self.context, &self.account.id).await?;
        account_context.context("the account is there")
    }

    /// Returns the account's stored session, as a connector reads it.
    pub async fn stored(&self) -> Result<Session> {
        let sessions = StoredSessions::new(self.context.clone());
        let stored = sessions.load(&self.account_context().await?).await?;
        stored.context("there is a session")
    }

    pub async fn happened(&self, kind: Kind) -> Result<usize> {
        let page = events::read(&self.context.store, &self.caller.workspace_id, 0, 1_000).await?;
        Ok(page.events.iter().filter(|event| event.kind == kind).count())
    }
}

/// Returns a connector to the site, as a separate process would have.
pub fn connector(site: &Site, context: &Context, sessions: impl Sessions) -> Result<Connector> {
    bare::connector(Some(site.url().parse()?), Arc::clone(&context.clock), sessions)
}
