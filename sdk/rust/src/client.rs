//! The connection to the server, and the settings that all calls share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};
use vintedbot_proto::v1::auth_service_client::AuthServiceClient;
use vintedbot_proto::v1::{SessionTokens, SignInRequest};

use crate::call::{Calls, Present as _, call};
use crate::session::Session;
use crate::{
    Accounts, Auth, Catalog, Error, Events, Inbox, Listings, Media, Publish, Result, RetryPolicy, Search,
    Templates, Wardrobe, Webhooks,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The server sends a checkpoint after 15 s without another message.
const SILENCE: Duration = Duration::from_secs(40);
/// A dead connection is detected after the sum of these two durations.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The connection to one server with one API token or the session of one person. Clones share it.
#[derive(Clone)]
pub struct Client {
    calls: Calls,
}

impl Client {
    /// Returns a builder for a client of the server at `address`: `http://127.0.0.1:50051`, or `https://…` if a proxy
    /// in front of the server provides TLS.
    pub fn builder(address: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            address: address.into(),
            token: Token::None,
            timeout: CALL_TIMEOUT,
            silence: SILENCE,
            retry: RetryPolicy::default(),
        }
    }

    /// Signs a person in. Returns a client on the same connection that makes its calls in the new session. It refreshes
    /// the tokens before they expire.
    ///
    /// Fails with [`SecondFactorRequired`](crate::ErrorReason::SecondFactorRequired) if `request.code` is missing. Not
    /// repeated, because a code works once.
    pub async fn sign_in(&self, request: SignInRequest) -> Result<Self> {
        let request = SignInRequest {
            use_cookies: false,
            ..request
        };
        let answer = self
            .calls
            .public()
            .once(request, call!(AuthServiceClient::sign_in))
            .await?;
        let tokens = answer.tokens.present("session tokens")?;
        Ok(self.on_session(Session::received(&self.calls, tokens)?))
    }

    /// Returns a client on the same connection that continues a session from
    /// [`session_tokens`](Self::session_tokens). Only the access token and the refresh token are needed.
    ///
    /// # Errors
    ///
    /// The access token cannot be sent.
    pub fn with_session(&self, tokens: SessionTokens) -> Result<Self> {
        Ok(self.on_session(Session::stored(&self.calls, tokens)?))
    }

    /// Returns the current tokens of the session, to store them. Absent with an API token.
    ///
    /// Each refresh token works once, and calls refresh the tokens. Store them after the last call, and use them in one
    /// client at a time.
    #[must_use]
    pub fn session_tokens(&self) -> Option<SessionTokens> {
        match &self.calls.credential {
            Credential::Session(session) => Some(session.tokens()),
            _ => None,
        }
    }

    fn on_session(&self, session: Session) -> Self {
        Self {
            calls: Calls {
                credential: Credential::Session(session),
                ..self.calls.clone()
            },
        }
    }

    /// Returns the client of `AuthService`: identity of the caller, people, and API tokens.
    #[must_use]
    pub fn auth(&self) -> Auth {
        Auth {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `AccountService`: accounts on the marketplace.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        Accounts {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `WardrobeService`: imports of an account's existing items.
    #[must_use]
    pub fn wardrobe(&self) -> Wardrobe {
        Wardrobe {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `CatalogService`: categories, brands, sizes and name resolution.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        Catalog {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `MediaService`: photos.
    #[must_use]
    pub fn media(&self) -> Media {
        Media {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `ListingService`: listings.
    #[must_use]
    pub fn listings(&self) -> Listings {
        Listings {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `PublishService`: publications and changes of listings.
    #[must_use]
    pub fn publish(&self) -> Publish {
        Publish {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `InboxService`: threads, messages and replies of all accounts.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        Inbox {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `TemplateService`: reusable reply texts.
    #[must_use]
    pub fn templates(&self) -> Templates {
        Templates {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `EventService`: the event log.
    #[must_use]
    pub fn events(&self) -> Events {
        Events {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `WebhookService`: events sent to the caller's addresses.
    #[must_use]
    pub fn webhooks(&self) -> Webhooks {
        Webhooks {
            calls: self.calls.clone(),
        }
    }

    /// Returns the client of `MarketplaceSearchService`: search among the items of all members.
    #[must_use]
    pub fn search(&self) -> Search {
        Search {
            calls: self.calls.clone(),
        }
    }

    /// Returns the connection with its credential, for the generated clients in [`v1`](crate::v1). Calls on it are not
    /// repeated, get no `request_id` and no deadline, and do not refresh the tokens of a session.
    #[must_use]
    pub fn channel(&self) -> InterceptedService<Channel, impl Interceptor + Clone + use<>> {
        self.calls.line()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// The settings of a connection; see [`Client::builder`].
#[must_use]
pub struct ClientBuilder {
    address: String,
    token: Token,
    timeout: Duration,
    silence: Duration,
    retry: RetryPolicy,
}

enum Token {
    None,
    Text(String),
    File(PathBuf),
}

impl ClientBuilder {
    /// Sets the API token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Token::Text(token.into());
        self
    }

    /// Sets a file that contains the API token. Surrounding whitespace is ignored.
    pub fn token_file(mut self, path: impl AsRef<Path>) -> Self {
        self.token = Token::File(path.as_ref().to_owned());
        self
    }

    /// Sets the timeout of one attempt at a call; default 30 s. It does not apply to the streams `watch` and
    /// `upload_all`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the silence after which a `watch` reconnects; default 40 s. The server is never silent for more than 15 s.
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// Sets how calls are repeated after temporary errors.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Connects to the server.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if the server does not answer within 10 s; otherwise those of [`lazy`](Self::lazy).
    pub async fn build(self) -> Result<Client> {
        let endpoint = self.endpoint()?;
        let credential = self.credential()?;
        let channel = endpoint.connect().await.map_err(Error::Connect)?;
        Ok(self.on(channel, credential))
    }

    /// Creates a client that connects at the first call. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The address is not valid, or the API token cannot be read or sent.
    pub fn lazy(self) -> Result<Client> {
        let endpoint = self.endpoint()?;
        let credential = self.credential()?;
        Ok(self.on(endpoint.connect_lazy(), credential))
    }

    fn on(self, channel: Channel, credential: Credential) -> Client {
        Client {
            calls: Calls {
                channel,
                credential,
                timeout: self.timeout,
                silence: self.silence,
                retry: self.retry,
            },
        }
    }

    fn endpoint(&self) -> Result<Endpoint> {
        let wrong = |source| Error::Address {
            address: self.address.clone(),
            source,
        };
        let mut endpoint = Endpoint::from_shared(self.address.clone()).map_err(wrong)?;
        if endpoint.uri().scheme_str() == Some("https") {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint.tls_config(tls).map_err(wrong)?;
        }
        Ok(endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true))
    }

    fn credential(&self) -> Result<Credential> {
        let token = match &self.token {
            Token::None => return Ok(Credential::None),
            Token::Text(token) => token.clone(),
            Token::File(path) => std::fs::read_to_string(path).map_err(|source| Error::File {
                path: path.clone(),
                source,
            })?,
        };
        Ok(Credential::ApiToken(bearer(token.trim())?))
    }
}

/// The credential that is added to every call.
#[derive(Clone)]
pub enum Credential {
    None,
    /// The header value of an API token.
    ApiToken(MetadataValue<Ascii>),
    Session(Session),
}

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = match self {
            Self::None => return Ok(request),
            Self::ApiToken(value) => value.clone(),
            Self::Session(session) => session.bearer(),
        };
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

/// Returns the value of the header `authorization` for a token.
pub fn bearer(token: &str) -> Result<MetadataValue<Ascii>> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse().map_err(|_| Error::Token)?;
    value.set_sensitive(true);
    Ok(value)
}
