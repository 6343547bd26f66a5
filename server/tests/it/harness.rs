//! An instance that serves in this process.

use std::sync::Arc;

use futures::FutureExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;
use vintedbot_domain::accounts::{self, Mode};
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::events::{Feed, Kind, PendingEvent};
use vintedbot_domain::identity::{self, Caller, NewToken, Scope, Scopes};
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::jobs::Bell;
use vintedbot_domain::keys::Keys;
use vintedbot_domain::media::files::PhotoFiles;
use vintedbot_domain::media::pipeline;
use vintedbot_domain::settings::Settings;
use vintedbot_domain::webhooks::Targets;
use vintedbot_domain::{Domain, Wakes, instance, store};
use vintedbot_marketplace::limits::Limits;
use vintedbot_migrations::OLDEST_PROGRAM;
use vintedbot_proto::v1;
use vintedbot_server::{Config, serve};

/// A token that may do everything.
pub struct Instance {
    pub domain: Domain,
    pub owner_id: String,
    pub token: String,
    pub token_id: String,
    /// `http://127.0.0.1:port`.
    pub url: String,
    pub shutdown: CancellationToken,
    pub served: JoinHandle<Result<(), vintedbot_server::Error>>,
    _folder: tempfile::TempDir,
}

/// Settings with which nothing happens by itself while a test looks.
fn settings() -> Settings {
    Settings {
        session_mode: Mode::Mock,
        confirm_token_ms: 60_000,
        signed_url_ms: 60_000,
        publish_per_minute: 5,
        publish_per_minute_account: 1,
        changes_per_minute_account: 10,
        reply_undo_ms: 10_000,
        replies_per_minute_account: 10,
        sync_now_per_minute: 4,
        imports_per_hour: 20,
        uploads_per_minute: 600,
        click_window_ms: 10_000,
        request_timeout_ms: 10_000,
        settle_ms: 10_000,
        settle_poll_ms: 1_000,
        lease_ms: 30_000,
        heartbeat_ms: 5_000,
        attempt_timeout_ms: 60_000,
        back_off_ms: 1_000,
        back_off_max_ms: 10_000,
        max_claims: 5,
        max_failures: 3,
        watch_ms: 60_000,
        events_keep_ms: 60_000,
        jobs_keep_ms: 60_000,
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

/// Lets webhooks go to every address.
#[derive(Debug)]
pub struct Anywhere;

#[tonic::async_trait]
impl Targets for Anywhere {
    async fn check(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }
}

pub async fn start() -> Instance {
    start_with(Config::default()).await
}

pub async fn start_with(config: Config) -> Instance {
    start_where(config, |_| {}).await
}

/// Starts an instance whose rules a test has changed.
pub async fn start_where(config: Config, change: impl FnOnce(&mut Settings)) -> Instance {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    start_in(folder, &url, config, change).await
}

/// Starts an instance whose database is at `url`.
pub async fn start_on(url: &str) -> Instance {
    start_on_where(url, Config::default(), |_| {}).await
}

/// The same with rules that a test has changed.
pub async fn start_on_where(url: &str, config: Config, change: impl FnOnce(&mut Settings)) -> Instance {
    let folder = tempfile::tempdir().expect("a folder");
    start_in(folder, url, config, change).await
}

async fn start_in(
    folder: tempfile::TempDir,
    url: &str,
    config: Config,
    change: impl FnOnce(&mut Settings),
) -> Instance {
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let store = store::connect(url, clock.clone(), ids.clone())
        .await
        .expect("connects");
    vintedbot_migrations::run_locked(store.writer())
        .await
        .expect("migrates");
    let started = instance::start(&store, folder.path(), env!("CARGO_PKG_VERSION"), OLDEST_PROGRAM)
        .await
        .expect("starts");
    let (feed, bell) = (Feed::default(), Bell::default());
    let store = store.with_after_commit(Arc::new(Wakes {
        feed: feed.clone(),
        bell: bell.clone(),
    }));
    let mut settings = settings();
    change(&mut settings);
    let domain = Domain {
        store,
        keys: Arc::new(Keys::new([7; 32])),
        files: Arc::new(PhotoFiles::open(&folder.path().join("media")).expect("a folder for files")),
        clock,
        ids,
        settings: Arc::new(settings),
        limits: Arc::new(Limits::embedded().clone()),
        photo_limits: Arc::new(pipeline::Limits {
            max_bytes: 1 << 20,
            ..pipeline::Limits::default()
        }),
        catalogs: Catalogs::default(),
        feed,
        bell,
        log_epoch: started.log_epoch.clone().into(),
    };
    let token = identity::first_token(&domain, &started.owner_id)
        .await
        .expect("a token");
    let token_id = identity::authenticate(&domain, Some(token.expose()))
        .await
        .expect("is known")
        .token_id;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let shutdown = CancellationToken::new();
    let config = Config {
        spool_dir: Some(folder.path().join("spool")),
        ..config
    };
    let served = tokio::spawn(serve(listener, domain.clone(), config, shutdown.clone()));
    Instance {
        domain,
        owner_id: started.owner_id,
        token: token.expose().to_owned(),
        token_id,
        url: format!("http://{address}"),
        shutdown,
        served,
        _folder: folder,
    }
}

/// Sends a bearer token along.
#[derive(Clone)]
pub struct Bearer(Option<String>);

impl Bearer {
    pub fn new(token: &str) -> Self {
        Self(Some(token.to_owned()))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let value = format!("Bearer {token}");
            request
                .metadata_mut()
                .insert("authorization", MetadataValue::try_from(value).expect("ASCII"));
        }
        Ok(request)
    }
}

pub type Connection = InterceptedService<Channel, Bearer>;

impl Instance {
    /// A connection with the token that may do everything.
    pub async fn connect(&self) -> Connection {
        self.connect_as(Some(&self.token)).await
    }

    pub async fn connect_as(&self, token: Option<&str>) -> Connection {
        let channel = Channel::from_shared(self.url.clone())
            .expect("a URL")
            .connect()
            .await
            .expect("connects");
        InterceptedService::new(channel, Bearer(token.map(str::to_owned)))
    }

    /// Who the first token stands for.
    pub fn caller(&self) -> Caller {
        Caller {
            owner_id: self.owner_id.clone(),
            token_id: self.token_id.clone(),
            scopes: Scopes::all(),
            expire_time: None,
        }
    }

    /// Another token, with these scopes; its id and secret.
    pub async fn make_token(&self, scopes: &[Scope], expire_time: Option<i64>) -> (String, String) {
        let new = NewToken {
            name: "test".to_owned(),
            scopes: scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            expire_time,
            request_id: None,
        };
        let made = identity::create_token(&self.domain, &self.caller(), new)
            .await
            .expect("a token");
        (
            made.token.id,
            made.secret.expect("a new token has one").expose().to_owned(),
        )
    }

    /// Writes `count` events about an account in one transaction.
    pub async fn emit(&self, account_id: &str, count: usize) {
        let account = accounts::get(&self.domain, &self.caller(), account_id)
            .await
            .expect("is there");
        let written = self.domain.store.write(move |tx| {
            let account = account.clone();
            async move {
                for _ in 0..count {
                    tx.emit(PendingEvent::changed(Kind::AccountUpdated, &account)?);
                }
                Ok(())
            }
            .boxed()
        });
        written.await.expect("is written");
    }

    /// A new account in mock mode.
    pub async fn make_account(&self, name: &str) -> v1::Account {
        let mut client = v1::account_service_client::AccountServiceClient::new(self.connect().await);
        let request = v1::CreateAccountRequest {
            display_name: name.to_owned(),
            market: "fr".to_owned(),
            ..Default::default()
        };
        client
            .create_account(request)
            .await
            .expect("is made")
            .into_inner()
            .account
            .expect("an account")
    }

    /// A new listing with a title alone.
    pub async fn make_listing(&self, account_id: &str, title: &str) -> v1::Listing {
        let mut client = v1::listing_service_client::ListingServiceClient::new(self.connect().await);
        let listing = v1::ListingInput {
            title: title.to_owned(),
            ..Default::default()
        };
        let request = v1::CreateListingRequest {
            account_id: account_id.to_owned(),
            listing: Some(listing),
            request_id: String::new(),
        };
        client
            .create_listing(request)
            .await
            .expect("is made")
            .into_inner()
            .listing
            .expect("a listing")
    }

    /// Ends the server as a signal would, and waits until it has.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.expect("did not panic").expect("ended well");
    }
}

/// The reason that an error carries, without its prefix.
pub fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("an error without ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "vintedbot");
    info.reason
        .strip_prefix("ERROR_REASON_")
        .expect("a full name")
        .to_owned()
}

/// A small picture, different for every `seed`.
pub fn jpeg(seed: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(64, 48, |x, y| {
        let wave = |n: u32| u8::try_from(n % 256).unwrap_or_default();
        image::Rgb([
            wave(x * 3 + u32::from(seed) * 40),
            wave(y * 5),
            wave(x * y + u32::from(seed)),
        ])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .expect("encodes");
    bytes.into_inner()
}

/// A plain HTTP client that only ever reaches this process.
#[expect(clippy::disallowed_methods, reason = "it talks to this process alone")]
pub fn http() -> reqwest::Client {
    reqwest::Client::new()
}
