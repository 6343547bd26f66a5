//! An instance that serves in this process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
use vintedbot_domain::accounts;
use vintedbot_domain::catalog::Catalogs;
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::events::{Feed, Kind, PendingEvent};
use vintedbot_domain::identity::{self, Caller, Mail, Mailer, NewToken, People, Scope, Scopes};
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::jobs::JobNotifier;
use vintedbot_domain::keys::Keys;
use vintedbot_domain::media::files::PhotoFiles;
use vintedbot_domain::media::pipeline;
use vintedbot_domain::settings::Settings;
use vintedbot_domain::webhooks::Targets;
use vintedbot_domain::{Context, Wakes, instance, store};
use vintedbot_marketplace::limits::Limits;
use vintedbot_migrations::OLDEST_PROGRAM;
use vintedbot_proto::v1;
use vintedbot_server::{Config, serve};

/// A running instance, with an API token that has every scope.
pub struct Instance {
    pub context: Context,
    pub workspace_id: String,
    pub token: String,
    pub token_id: String,
    pub mails: Mails,
    /// `http://127.0.0.1:port`.
    pub url: String,
    pub shutdown: CancellationToken,
    pub served: JoinHandle<Result<(), vintedbot_server::Error>>,
    _folder: tempfile::TempDir,
}

/// Settings that disable all background activity during a test.
fn settings() -> Settings {
    let mut settings: Settings =
        toml::from_str(include_str!("../../../config.default.toml")).expect("the default settings");
    settings.timezone = "Europe/Paris".to_owned();
    settings.confirm_token_ms = 60_000;
    settings.signed_url_ms = 60_000;
    settings.effects.request_timeout_ms = 10_000;
    settings.effects.settle_ms = 10_000;
    settings.effects.settle_poll_ms = 1_000;
    settings.effects.watch_ms = 60_000;
    settings.jobs.lease_ms = 30_000;
    settings.jobs.heartbeat_ms = 5_000;
    settings.jobs.backoff_ms = 1_000;
    settings.jobs.max_claims = 5;
    settings.jobs.max_failures = 3;
    settings.retention.events_ms = 60_000;
    settings.retention.jobs_ms = 60_000;
    settings
}

/// Allows webhooks to every address.
#[derive(Debug)]
pub struct Anywhere;

#[tonic::async_trait]
impl Targets for Anywhere {
    async fn check(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }
}

/// Records mails instead of sending them.
#[derive(Clone, Debug, Default)]
pub struct Mails(Arc<Mutex<Vec<Mail>>>);

#[tonic::async_trait]
impl Mailer for Mails {
    async fn send(&self, mail: Mail) -> Result<(), String> {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.push(mail);
        Ok(())
    }
}

impl Mails {
    /// Waits for a mail to an address and takes it. Returns the token in it, which begins with `prefix`.
    pub async fn token(&self, to: &str, prefix: &str) -> String {
        let mut waits = 0;
        let text = loop {
            match self.take(to) {
                Some(mail) => break mail.text,
                None if waits == 1_000 => panic!("no mail to {to}"),
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
            waits += 1;
        };
        let start = text.find(prefix).expect("the mail has a token");
        let is_in_token = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        text[start..].chars().take_while(is_in_token).collect()
    }

    /// Returns whether no mail waits.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn take(&self, to: &str) -> Option<Mail> {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = mails.iter().position(|mail| mail.to == to)?;
        Some(mails.remove(at))
    }
}

pub async fn start() -> Instance {
    start_with(Config::default()).await
}

pub async fn start_with(config: Config) -> Instance {
    start_where(config, |_| {}).await
}

/// Starts an instance with changed settings.
pub async fn start_where(config: Config, change: impl FnOnce(&mut Settings)) -> Instance {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    start_in(folder, &url, config, change).await
}

/// Starts an instance on the database at `url`.
pub async fn start_on(url: &str) -> Instance {
    start_on_where(url, Config::default(), |_| {}).await
}

/// Starts an instance on the database at `url` with changed settings.
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
    let (feed, notifier) = (Feed::default(), JobNotifier::default());
    let store = store.with_after_commit(Arc::new(Wakes {
        feed: feed.clone(),
        notifier: notifier.clone(),
    }));
    let mut settings = settings();
    change(&mut settings);
    let mails = Mails::default();
    let people = People::new(
        &started.instance_id,
        "https://bot.example",
        Arc::new(mails.clone()),
    );
    let context = Context {
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
        notifier,
        log_epoch: started.log_epoch.clone().into(),
        people: Arc::new(people),
    };
    let token = identity::first_token(&context, &started.workspace_id)
        .await
        .expect("a token");
    let token_id = identity::authenticate(&context, Some(token.expose()))
        .await
        .expect("is known")
        .credential_id;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let shutdown = CancellationToken::new();
    let config = Config {
        spool_dir: Some(folder.path().join("spool")),
        ..config
    };
    let served = tokio::spawn(serve(listener, context.clone(), config, shutdown.clone()));
    Instance {
        context,
        workspace_id: started.workspace_id,
        token: token.expose().to_owned(),
        token_id,
        mails,
        url: format!("http://{address}"),
        shutdown,
        served,
        _folder: folder,
    }
}

/// Sends a bearer token with each call.
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
    /// Opens a connection with the token that has every scope.
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

    /// Returns the caller of the first token.
    pub fn caller(&self) -> Caller {
        Caller {
            workspace_id: self.workspace_id.clone(),
            credential_id: self.token_id.clone(),
            person: None,
            scopes: Scopes::all(),
            expire_time: None,
        }
    }

    /// Creates a token with these scopes. Returns its id and secret.
    pub async fn make_token(&self, scopes: &[Scope], expire_time: Option<i64>) -> (String, String) {
        let new = NewToken {
            name: "test".to_owned(),
            scopes: scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            expire_time,
            request_id: None,
        };
        let made = identity::create_token(&self.context, &self.caller(), new)
            .await
            .expect("a token");
        (
            made.token.id,
            made.secret.expect("a new token has one").expose().to_owned(),
        )
    }

    /// Appends `count` events about an account in one transaction.
    pub async fn emit(&self, account_id: &str, count: usize) {
        let account = accounts::get(&self.context, &self.caller(), account_id)
            .await
            .expect("is there");
        let written = self.context.store.write(move |tx| {
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

    /// Creates an account in mock mode.
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

    /// Creates a listing that has only a title.
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

    /// Stops the server as a signal would, and waits for its end.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.expect("did not panic").expect("ended well");
    }
}

/// Returns the reason that an error carries, without its prefix.
pub fn reason(status: &Status) -> String {
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("an error without ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "vintedbot");
    info.reason
        .strip_prefix("ERROR_REASON_")
        .expect("a full name")
        .to_owned()
}

/// Returns a small picture that is different for every `seed`.
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

/// Returns a plain HTTP client that only ever reaches this process.
#[expect(clippy::disallowed_methods, reason = "it talks to this process alone")]
pub fn http() -> reqwest::Client {
    reqwest::Client::new()
}
