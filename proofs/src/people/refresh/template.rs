//! A database with a person and many sessions. Each batch of interleavings runs on a copy of it, because a sign-in
//! takes about 20 ms of processor time in optimised code: the hash of a password is slow on purpose.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use tempfile::TempDir;
use url::Url;
use vintedbot_domain::clock::Millis;
use vintedbot_domain::identity::{self, Client, Password, SessionTokens, SignIn};
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::store::{self, Store};
use vintedbot_domain::{Context, instance};

use crate::people::context::{self, EMAIL, PASSWORD};
use crate::sim::clock::SimClock;

/// The time of all sign-ins.
pub const EPOCH: Millis = 1_800_000_000_000;
/// The sessions of a template, one for each interleaving of a batch.
pub const SESSIONS: u64 = 50;
/// The template's database on a PostgreSQL server.
const TEMPLATE: &str = "sessions";

/// The tokens of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

impl From<&SessionTokens> for Pair {
    fn from(tokens: &SessionTokens) -> Self {
        Self {
            access: tokens.access_token.as_str().to_owned(),
            refresh: tokens.refresh_token.as_str().to_owned(),
        }
    }
}

/// The prepared database.
pub struct Template {
    pub sessions: Vec<Pair>,
    instance_id: String,
    folder: TempDir,
    engine: Engine,
}

enum Engine {
    Sqlite(Store),
    Postgres {
        server: Url,
        /// A connection to another database of the server.
        admin: DatabaseConnection,
    },
}

impl Template {
    /// Prepares a database file.
    pub async fn on_sqlite() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vintedbot-people-").tempdir()?;
        let store = open_file(&folder.path().join("template.sqlite")).await?;
        let (instance_id, sessions) = fill(&store, folder.path()).await?;
        Ok(Self {
            sessions,
            instance_id,
            folder,
            engine: Engine::Sqlite(store),
        })
    }

    /// Prepares a database on a server.
    pub async fn on_postgres(server: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vintedbot-people-").tempdir()?;
        let admin = Database::connect(server).await?;
        admin
            .execute_unprepared(&format!("CREATE DATABASE {TEMPLATE}"))
            .await?;
        let server = Url::parse(server)?;
        let store = open_database(&server, TEMPLATE).await?;
        let (instance_id, sessions) = fill(&store, folder.path()).await?;
        // The server does not copy a database that has connections.
        store.writer().clone().close().await?;
        Ok(Self {
            sessions,
            instance_id,
            folder,
            engine: Engine::Postgres { server, admin },
        })
    }

    /// Returns the name of the database engine.
    pub fn engine(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite(_) => "SQLite",
            Engine::Postgres { .. } => "PostgreSQL",
        }
    }

    /// Copies the database for the batch with this number.
    pub async fn copy(&self, number: u64) -> Result<Batch> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let store = match &self.engine {
            Engine::Sqlite(store) => {
                let file = folder.path().join("copy.sqlite");
                let copy = format!("VACUUM INTO '{}'", file.display());
                store.writer().execute_unprepared(&copy).await?;
                open_file(&file).await?
            }
            Engine::Postgres { server, admin } => {
                let name = format!("batch_{number}");
                let copy = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}");
                admin.execute_unprepared(&copy).await?;
                open_database(server, &name).await?
            }
        };
        let clock = Arc::new(SimClock::at(EPOCH));
        Ok(Batch {
            context: context::context(store, clock, &self.instance_id, folder.path())?,
            _folder: folder,
        })
    }
}

/// The database of one batch.
pub struct Batch {
    /// The domain on this database. Each interleaving replaces its clock.
    pub context: Context,
    _folder: TempDir,
}

impl Batch {
    /// Closes all connections, so that the next batch can open its own.
    pub async fn close(self) -> Result<()> {
        let store = self.context.store;
        store.reader().clone().close().await?;
        store.writer().clone().close().await?;
        Ok(())
    }
}

async fn open_file(path: &Path) -> Result<Store> {
    let url = format!("sqlite://{}", path.display());
    let store = store::connect(&url, Arc::new(SimClock::at(EPOCH)), Arc::new(SystemIds)).await?;
    // The proof does not crash the machine. The setting lasts, because the writer has one permanent connection.
    store
        .writer()
        .execute_unprepared("PRAGMA synchronous = OFF")
        .await?;
    Ok(store)
}

async fn open_database(server: &Url, name: &str) -> Result<Store> {
    let mut url = server.clone();
    url.set_path(name);
    let pool = Database::connect(url.as_str()).await?;
    // The PostgreSQL server's own clock would not be the scripted one.
    let clock = Arc::new(SimClock::at(EPOCH));
    Ok(Store::new(pool.clone(), pool, clock, Arc::new(SystemIds), false))
}

/// Creates the instance, the person and the sessions. Returns the instance's id.
async fn fill(store: &Store, folder: &Path) -> Result<(String, Vec<Pair>)> {
    vintedbot_migrations::run_locked(store.writer()).await?;
    let started = instance::start(store, folder, "0.1.0", "0.1.0").await?;
    let clock = Arc::new(SimClock::at(EPOCH));
    let context = context::context(store.clone(), clock, &started.instance_id, folder)?;
    context::add_person(&context).await?;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let sign_in = SignIn {
            email: EMAIL.to_owned(),
            password: Password::new(PASSWORD.to_owned()),
            code: String::new(),
        };
        let signed_in = identity::sign_in(&context, &client(), sign_in).await;
        sessions.push(Pair::from(&signed_in.context("cannot sign in")?.tokens));
    }
    Ok((started.instance_id, sessions))
}

/// Returns the device that makes all calls.
pub fn client() -> Client {
    Client {
        address: None,
        device: "the proof's device".to_owned(),
    }
}
