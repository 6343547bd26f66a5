//! A member's session through everything that can befall it, on both database engines: imported, renewed by several at once,
//! lost between the site's answer and the database, ended, forgotten. Real parts throughout: a practice site that rotates
//! its tokens and ends a session whose old ones are used again, the connector, the worker, the domain. The count is taken
//! from what the site wrote down.

#[path = "support/postgres.rs"]
mod postgres;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use futures::future::join_all;
use postgres::Postgres;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use vintedbot_connector::{Config, Connector, Pacing};
use vintedbot_domain::accounts::{
    self, Account, AccountState, ImportSession, Mode, NewAccount, SessionSource, SessionState, SetMode,
    StoredSessions,
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
use vintedbot_marketplace::{
    Cookies, Error as SiteError, LostSession, Marketplace as _, Renewal, Seat, Session, Sessions,
};
use vintedbot_practice::{Practice, Running};
use vintedbot_proofs::records::{SignedIn, Site};
use vintedbot_worker::Worker;
use zeroize::Zeroizing;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than a renewal whose asker is gone is waited out.
const WAITED_OUT: Millis = 15_000;
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";

/// The machine's clock, and how far it was moved.
#[derive(Debug, Default)]
struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Millis {
        SystemClock.now() + self.0.load(Ordering::SeqCst)
    }

    fn since_boot(&self) -> Millis {
        SystemClock.since_boot() + self.0.load(Ordering::SeqCst)
    }
}

/// A site, an instance in this process, and an account on it.
struct Stage {
    site: Site,
    domain: Domain,
    clock: Arc<Moved>,
    caller: Caller,
    account: Account,
    drain: CancellationToken,
    worker: JoinHandle<Result<(), vintedbot_worker::Error>>,
    practice: Running,
    postgres: Option<Postgres>,
    _folder: TempDir,
}

impl Stage {
    async fn open(postgres: Option<Postgres>) -> Result<Self> {
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

    async fn close(self) -> Result<()> {
        self.drain.cancel();
        timeout(PATIENCE, self.worker).await???;
        self.practice.stop().await?;
        match self.postgres {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    async fn look(&self) -> Result<Account> {
        Ok(accounts::get(&self.domain, &self.caller, &self.account.id).await?)
    }

    fn login(&self) -> &str {
        self.account.member_login.as_deref().unwrap_or_default()
    }

    /// Another process's way to the same database and site.
    fn other_process(&self) -> Result<Connector> {
        connector(&self.site, &self.domain, StoredSessions::new(self.domain.clone()))
    }

    fn wanted(&self, signed_in: &SignedIn) -> ImportSession {
        ImportSession {
            account_id: self.account.id.clone(),
            source: SessionSource::CookieHeader(Zeroizing::new(signed_in.header())),
            user_agent: AGENT.to_owned(),
            expire_time: None,
            accept_other_member: false,
            request_id: None,
        }
    }

    async fn import(&self, import: ImportSession) -> Result<accounts::Imported, Error> {
        timeout(
            PATIENCE,
            accounts::import_session(&self.domain, &self.caller, import),
        )
        .await
        .expect("an answer in time")
    }

    /// Brings a session whose access token is about to end by our clock, and whose next one lasts.
    async fn import_stale(&self) -> Result<SignedIn> {
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
    async fn idle(&self) -> Result<()> {
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

    async fn seat(&self) -> Result<Seat> {
        let seat = accounts::seat_of(&self.domain, &self.account.id).await?;
        seat.context("the account is there")
    }

    /// What is kept for the account, as a connector would get it.
    async fn stored(&self) -> Result<Session> {
        let sessions = StoredSessions::new(self.domain.clone());
        let stored = sessions.load(&self.seat().await?).await?;
        stored.context("there is a session")
    }

    async fn happened(&self, kind: Kind) -> Result<usize> {
        let page = events::read(&self.domain.store, &self.caller.owner_id, 0, 1_000).await?;
        Ok(page.events.iter().filter(|event| event.kind == kind).count())
    }
}

fn connector(site: &Site, domain: &Domain, sessions: impl Sessions) -> Result<Connector> {
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
        screenshots_keep_ms: 30 * 24 * 3_600_000,
        schedule_late_ms: 3_600_000,
        browser_window: false,
    }
}

fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Option<Reason> {
    result.expect_err("a refusal").reason()
}

/// A process that dies when the site has answered, before anything is stored.
struct DiesBeforeStoring(StoredSessions);

#[async_trait]
impl Sessions for DiesBeforeStoring {
    async fn load(&self, seat: &Seat) -> Result<Option<Session>, SiteError> {
        self.0.load(seat).await
    }

    async fn begin(&self, seat: &Seat, generation: i64) -> Result<Renewal, SiteError> {
        self.0.begin(seat, generation).await
    }

    async fn renewed(&self, _: &Seat, _: i64, _: Cookies) -> Result<Option<Session>, SiteError> {
        std::future::pending().await
    }

    async fn abandoned(&self, seat: &Seat, generation: i64) -> Result<(), SiteError> {
        self.0.abandoned(seat, generation).await
    }

    async fn lost(&self, seat: &Seat, generation: i64, why: LostSession) -> Result<(), SiteError> {
        self.0.lost(seat, generation, why).await
    }

    async fn harvested(
        &self,
        seat: &Seat,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, SiteError> {
        self.0.harvested(seat, generation, cookies).await
    }
}

/// Tells each chapter on an engine of its own.
macro_rules! on_both_engines {
    ($($chapter:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $chapter() -> anyhow::Result<()> {
                super::$chapter(super::Stage::open(None).await?).await
            })*
        }

        mod on_postgresql {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $chapter() -> anyhow::Result<()> {
                let server = super::Postgres::start().await?;
                super::$chapter(super::Stage::open(Some(server)).await?).await
            })*
        }
    };
}

on_both_engines! {
    a_session_is_tried_before_it_counts
    what_does_not_work_changes_nothing
    many_at_once_renew_a_session_once_and_a_persons_import_wins
    a_kill_before_the_new_tokens_are_stored_costs_the_session_and_says_so
    a_lost_answer_is_made_good_where_the_site_still_takes_the_old_tokens
    an_expired_token_is_renewed_while_it_is_tried
    a_dead_session_stops_its_account_and_a_new_one_starts_it
    a_forgotten_session_is_nowhere
    a_session_belongs_to_its_site
    imports_are_counted
}

async fn a_session_is_tried_before_it_counts(stage: Stage) -> Result<()> {
    let signed_in = stage.site.sign_in(stage.login()).await?;
    let mut import = stage.wanted(&signed_in);
    import.request_id = Some(SystemIds.id());
    let imported = stage.import(import.clone()).await?;
    ensure!(
        imported.dropped == ["datadome"] && imported.missing.is_empty(),
        "{imported:?}"
    );
    let session = imported.account.session.context("it is shown")?;
    ensure!(
        session.state == SessionState::Active && session.generation == 1,
        "{session:?}"
    );
    ensure!(
        session.member_login == stage.login() && session.check_time.is_some(),
        "{session:?}"
    );
    ensure!(
        session.cookie_names.len() == signed_in.cookies.len() - 1,
        "{session:?}"
    );
    ensure!(stage.stored().await?.user_agent == AGENT);

    // The same call finds what it made.
    let again = stage.import(import.clone()).await?;
    ensure!(
        again.account.session.as_ref().map(|session| session.generation) == Some(1)
            && again.dropped == imported.dropped
    );
    import.user_agent = "Other/1.0".to_owned();
    ensure!(reason(stage.import(import).await) == Some(Reason::RequestIdReused));
    ensure!(stage.happened(Kind::AccountSessionImported).await? == 1);

    // Nothing of it stands anywhere in the clear: not in its row, not in the events, not in what is remembered of calls.
    let access = &signed_in.cookies["access_token_web"];
    let page = events::read(&stage.domain.store, &stage.caller.owner_id, 0, 1_000).await?;
    ensure!(
        page.events
            .iter()
            .all(|event| !event.payload.contains(access.as_str()))
    );

    let checked = accounts::check_session(&stage.domain, &stage.caller, &stage.account.id).await?;
    ensure!(
        checked
            .session
            .is_some_and(|checked| checked.check_time >= session.check_time)
    );
    ensure!(stage.site.refreshes(0).await? == (0, 0));
    stage.close().await
}

async fn what_does_not_work_changes_nothing(stage: Stage) -> Result<()> {
    let good = stage.site.sign_in(stage.login()).await?;
    stage.import(stage.wanted(&good)).await?;
    stage.idle().await?;
    let before = stage.look().await?;

    let mut dead = good.clone();
    for name in ["access_token_web", "refresh_token_web"] {
        dead.cookies
            .insert(name.to_owned(), "eyJub25lIn0.e30.x".to_owned());
    }
    ensure!(reason(stage.import(stage.wanted(&dead)).await) == Some(Reason::SessionInvalid));

    let other = stage.site.sign_in("somebody-else").await?;
    let error = stage
        .import(stage.wanted(&other))
        .await
        .expect_err("another member");
    ensure!(error.reason() == Some(Reason::SessionOtherMember), "{error}");
    ensure!(error.to_string().contains("somebody-else"), "{error}");

    let mut missing = good.clone();
    missing.cookies.remove("refresh_token_web");
    let error = stage
        .import(stage.wanted(&missing))
        .await
        .expect_err("no refresh token");
    ensure!(error.reason() == Some(Reason::SessionCookiesMissing), "{error}");

    let large = ImportSession {
        source: SessionSource::BrowserExport(Zeroizing::new(" ".repeat(1_000_000))),
        ..stage.wanted(&good)
    };
    ensure!(reason(stage.import(large).await) == Some(Reason::MessageTooLarge));

    stage
        .site
        .add_rule(&json!({"on": "current_user", "times": 1, "do": {"status_403": true}}))
        .await?;
    ensure!(reason(stage.import(stage.wanted(&good)).await) == Some(Reason::ChallengeBotCheck));

    let after = stage.look().await?;
    ensure!(
        after.session == before.session && after.state == AccountState::Active,
        "{after:?}"
    );

    let mut accepted = stage.wanted(&other);
    accepted.accept_other_member = true;
    let imported = stage.import(accepted).await?;
    ensure!(imported.account.member_login.as_deref() == Some("somebody-else"));
    stage.close().await
}

async fn many_at_once_renew_a_session_once_and_a_persons_import_wins(stage: Stage) -> Result<()> {
    stage.import_stale().await?;
    let seat = stage.seat().await?;
    let (one, two) = (stage.other_process()?, stage.other_process()?);
    let since = stage.site.last_seq().await?;
    let fresh = stage.site.sign_in(stage.login()).await?;
    let mut readers = Vec::new();
    for connector in [&one, &two, &one, &two, &one, &two] {
        readers.push(connector.member(&seat));
    }
    let (read, imported) = tokio::join!(join_all(readers), stage.import(stage.wanted(&fresh)));
    for member in read {
        ensure!(member?.login == stage.login());
    }
    let imported = imported?;
    let (granted, refused) = stage.site.refreshes(since).await?;
    ensure!(
        granted <= 1 && refused == 0,
        "{granted} granted, {refused} refused"
    );
    let stored = stage.stored().await?;
    ensure!(
        stored.cookies.get("access_token_web") == fresh.cookies.get("access_token_web").map(String::as_str),
        "what the person brought is not what is in use"
    );
    ensure!(
        imported
            .account
            .session
            .is_some_and(|session| session.generation >= 2)
    );

    // Without an import in between it is renewed exactly once, whoever asks.
    stage.import_stale().await?;
    let since = stage.site.last_seq().await?;
    let readers = [&one, &two, &one, &two].map(|connector| connector.member(&seat));
    for member in join_all(readers).await {
        ensure!(member?.login == stage.login());
    }
    let refreshes = stage.site.refreshes(since).await?;
    ensure!(refreshes == (1, 0), "{refreshes:?}");
    stage.close().await
}

async fn a_kill_before_the_new_tokens_are_stored_costs_the_session_and_says_so(stage: Stage) -> Result<()> {
    stage.import_stale().await?;
    let seat = stage.seat().await?;
    let since = stage.site.last_seq().await?;
    let sessions = DiesBeforeStoring(StoredSessions::new(stage.domain.clone()));
    let dying = connector(&stage.site, &stage.domain, sessions)?;
    ensure!(
        timeout(Duration::from_secs(2), dying.member(&seat))
            .await
            .is_err()
    );
    ensure!(
        stage.site.refreshes(since).await? == (1, 0),
        "the site has renewed it"
    );
    drop(dying);

    // While the site may still be at it, nobody else asks.
    let next = stage.other_process()?;
    ensure!(matches!(
        StoredSessions::new(stage.domain.clone()).begin(&seat, 1).await?,
        Renewal::Busy
    ));
    stage.clock.0.fetch_add(WAITED_OUT, Ordering::SeqCst);
    let lost = next.member(&seat).await;
    ensure!(
        matches!(lost, Err(SiteError::SessionInvalid(LostSession::LostInRefresh))),
        "{lost:?}"
    );
    // Tried once, and refused.
    ensure!(stage.site.refreshes(since).await? == (1, 1));
    let account = stage.look().await?;
    let session = account.session.context("it is shown as it is")?;
    ensure!(
        session.state == SessionState::Invalid && session.reason == Some(Reason::SessionLostInRefresh),
        "{session:?}"
    );
    ensure!(account.state == AccountState::Paused);
    ensure!(stage.happened(Kind::AccountSessionInvalidated).await? == 1);
    let again = next.member(&seat).await;
    ensure!(matches!(
        again,
        Err(SiteError::SessionInvalid(LostSession::LostInRefresh))
    ));
    ensure!(stage.site.refreshes(since).await? == (1, 1), "it was asked again");
    stage.close().await
}

async fn a_lost_answer_is_made_good_where_the_site_still_takes_the_old_tokens(stage: Stage) -> Result<()> {
    stage
        .site
        .set(&json!({"refresh_grace_ms": 600_000, "revoke_access_on_refresh": false}))
        .await?;
    stage.import_stale().await?;
    let seat = stage.seat().await?;
    let since = stage.site.last_seq().await?;
    stage
        .site
        .add_rule(&json!({"on": "refresh", "times": 1, "do": {"accept_then_cut": true}}))
        .await?;
    let connector = stage.other_process()?;
    // Its access token is good for a while, so that nothing is lost by the answer.
    ensure!(connector.member(&seat).await?.login == stage.login());
    ensure!(stage.stored().await?.generation == 1);
    stage.clock.0.fetch_add(WAITED_OUT, Ordering::SeqCst);
    ensure!(connector.member(&seat).await?.login == stage.login());
    ensure!(stage.site.refreshes(since).await? == (2, 0));
    let account = stage.look().await?;
    ensure!(account.state == AccountState::Active);
    ensure!(account.session.is_some_and(|session| session.generation == 2));
    stage.close().await
}

async fn an_expired_token_is_renewed_while_it_is_tried(stage: Stage) -> Result<()> {
    stage.site.set(&json!({"access_token_ttl_s": 0})).await?;
    let signed_in = stage.site.sign_in(stage.login()).await?;
    stage.site.set(&json!({"access_token_ttl_s": 7_200})).await?;
    let since = stage.site.last_seq().await?;
    let imported = stage.import(stage.wanted(&signed_in)).await?;
    ensure!(
        imported
            .account
            .session
            .is_some_and(|session| session.generation == 1)
    );
    ensure!(stage.site.refreshes(since).await? == (1, 0));
    let stored = stage.stored().await?;
    ensure!(
        stored.cookies.get("refresh_token_web")
            != signed_in.cookies.get("refresh_token_web").map(String::as_str),
        "the new token was not kept"
    );
    ensure!(stage.other_process()?.member(&stage.seat().await?).await?.login == stage.login());
    stage.close().await
}

async fn a_dead_session_stops_its_account_and_a_new_one_starts_it(stage: Stage) -> Result<()> {
    let stale = stage.import_stale().await?;
    // Somebody else uses the refresh token: the site ends the session.
    let thief = stage.other_process()?;
    let seat = stage.seat().await?;
    ensure!(thief.member(&seat).await?.login == stage.login(), "it is renewed");
    let mut import = stage.wanted(&stale);
    import.expire_time = None;
    ensure!(
        reason(stage.import(import).await) == Some(Reason::SessionInvalid),
        "its token was used"
    );
    // The second use of an old token has ended every token that came of it.
    let checked = accounts::check_session(&stage.domain, &stage.caller, &stage.account.id).await?;
    let session = checked.session.context("it is shown as it is")?;
    ensure!(
        session.state == SessionState::Invalid && session.reason == Some(Reason::SessionInvalid),
        "{session:?}"
    );
    ensure!(checked.state == AccountState::Paused);
    let pause = checked.pause.context("a pause")?;
    ensure!(
        pause.reason == Some(Reason::SessionInvalid) && pause.publish_job_id.is_none(),
        "{pause:?}"
    );
    ensure!(accounts::require_session(&stage.look().await?, stage.clock.now()).is_err());

    let fresh = stage.site.sign_in(stage.login()).await?;
    let mut import = stage.wanted(&fresh);
    import.expire_time = Some(stage.clock.now() + 60_000);
    let account = stage.import(import).await?.account;
    ensure!(
        account.state == AccountState::Active && account.pause.is_none(),
        "{account:?}"
    );
    ensure!(stage.happened(Kind::AccountResumed).await? == 1);

    // Its time passes, and it is not used any more.
    stage.clock.0.fetch_add(61_000, Ordering::SeqCst);
    ensure!(accounts::require_session(&stage.look().await?, stage.clock.now()).is_err());
    let over = stage.other_process()?.member(&seat).await;
    ensure!(
        matches!(over, Err(SiteError::SessionInvalid(LostSession::Expired))),
        "{over:?}"
    );
    ensure!(
        stage
            .look()
            .await?
            .session
            .is_some_and(|session| session.state == SessionState::Invalid)
    );
    stage.close().await
}

async fn a_forgotten_session_is_nowhere(stage: Stage) -> Result<()> {
    let other = stage.site.sign_in("somebody-else").await?;
    let mut import = stage.wanted(&other);
    import.accept_other_member = true;
    stage.import(import).await?;
    let connector = stage.other_process()?;
    let seat = stage.seat().await?;
    ensure!(connector.member(&seat).await?.login == "somebody-else");
    let account = accounts::forget_session(&stage.domain, &stage.caller, &stage.account.id, None).await?;
    ensure!(account.session.is_none());
    ensure!(
        StoredSessions::new(stage.domain.clone())
            .load(&seat)
            .await?
            .is_none()
    );
    // The practice site is entered without one again, by a connector that had used it too.
    ensure!(connector.member(&seat).await?.login == stage.login());
    accounts::forget_session(&stage.domain, &stage.caller, &stage.account.id, None).await?;
    ensure!(stage.happened(Kind::AccountSessionForgotten).await? == 1);
    let none = accounts::check_session(&stage.domain, &stage.caller, &stage.account.id).await;
    ensure!(reason(none) == Some(Reason::SessionRequired));
    stage.close().await
}

async fn a_session_belongs_to_its_site(stage: Stage) -> Result<()> {
    let signed_in = stage.site.sign_in(stage.login()).await?;
    stage.import(stage.wanted(&signed_in)).await?;
    let set = |mode| SetMode {
        id: stage.account.id.clone(),
        mode,
        automated_acknowledged: true,
        request_id: None,
    };
    let (account, _) = accounts::set_mode(&stage.domain, &stage.caller, set(Mode::Automated)).await?;
    ensure!(
        account.session.is_none() && account.member_id.is_none(),
        "{account:?}"
    );
    let refused = accounts::require_session(&account, stage.clock.now());
    ensure!(reason(refused) == Some(Reason::SessionRequired));
    let seat = stage.seat().await?;
    ensure!(seat.site == "vinted.fr");
    let nowhere = stage.other_process()?.member(&seat).await;
    ensure!(matches!(nowhere, Err(SiteError::NoSession(_))), "{nowhere:?}");
    let export = ImportSession {
        source: SessionSource::BrowserExport(Zeroizing::new(
            r#"[{"name":"access_token_web","value":"a","domain":".vinted.de"},
                {"name":"refresh_token_web","value":"b","domain":".vinted.de"},
                {"name":"_vinted_fr_session","value":"c","domain":".vinted.de"}]"#
                .to_owned(),
        )),
        ..stage.wanted(&signed_in)
    };
    ensure!(reason(stage.import(export).await) == Some(Reason::SessionWrongMarket));

    let (account, _) = accounts::set_mode(&stage.domain, &stage.caller, set(Mode::Mock)).await?;
    ensure!(
        account
            .session
            .is_some_and(|session| session.state == SessionState::Active)
    );
    ensure!(account.member_login.as_deref() == Some(stage.login()));
    stage.close().await
}

async fn imports_are_counted(stage: Stage) -> Result<()> {
    let signed_in = stage.site.sign_in(stage.login()).await?;
    for _ in 0..6 {
        stage.import(stage.wanted(&signed_in)).await?;
    }
    let error = stage
        .import(stage.wanted(&signed_in))
        .await
        .expect_err("one too many");
    let Error::Rejected(rejection) = error else {
        anyhow::bail!("{error}");
    };
    ensure!(rejection.reason == Reason::RateLimited, "{rejection:?}");
    ensure!(rejection.metadata["limit"] == "imports_per_hour");
    ensure!(
        rejection.retry_after_ms.is_some_and(|wait| wait > 3_000_000),
        "{rejection:?}"
    );
    stage.clock.0.fetch_add(3_600_000, Ordering::SeqCst);
    stage.import(stage.wanted(&signed_in)).await?;
    stage.close().await
}
