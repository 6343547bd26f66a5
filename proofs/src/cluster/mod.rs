//! One instance of several processes: servers and workers of the real program on PostgreSQL, with Redis between them or not.

mod member;
mod seller;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use vintedbot_sdk::Client;

use crate::instance::Practice;
use crate::postgres::Postgres;
use crate::records::Site;
use crate::redis::Redis;
pub use member::{Member, Role};
pub use seller::Seller;

/// How fast things go, so that a proof takes minutes and not hours.
const PACE: [(&str, &str); 18] = [
    ("LEASE_MS", "3000"),
    ("HEARTBEAT_MS", "800"),
    ("CLICK_WINDOW_MS", "1000"),
    ("REQUEST_TIMEOUT_MS", "2500"),
    ("SETTLE_MS", "3000"),
    ("SETTLE_POLL_MS", "200"),
    ("BACK_OFF_MS", "100"),
    ("BACK_OFF_MAX_MS", "2000"),
    ("MAX_FAILURES", "1000"),
    ("MAX_CLAIMS", "1000"),
    ("PACING_MS", "0"),
    ("PUBLISH_PER_MINUTE", "100000"),
    ("PUBLISH_PER_MINUTE_ACCOUNT", "100000"),
    ("REPLIES_PER_MINUTE_ACCOUNT", "100000"),
    ("SYNC_NOW_PER_MINUTE", "100000"),
    ("REPLY_UNDO_MS", "0"),
    ("UPLOADS_PER_MINUTE", "100000"),
    ("LOG", "info,h2=info"),
];

/// The engines and the processes. Dropped, all of it is killed.
pub struct Cluster {
    pub servers: Vec<Member>,
    pub workers: Vec<Member>,
    pub redis: Option<Redis>,
    pub postgres: Postgres,
    practice: Practice,
    settings: Vec<(String, String)>,
    folder: TempDir,
}

impl Cluster {
    /// Starts the engines and the site; no process of the program yet.
    ///
    /// # Errors
    ///
    /// Any of them does not start.
    pub async fn start(with_redis: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vintedbot-cluster-").tempdir()?;
        let records = folder.path().join("records.jsonl");
        let (postgres, practice) = tokio::try_join!(Postgres::start(), Practice::start(&records))?;
        let redis = if with_redis {
            Some(Redis::start().await?)
        } else {
            None
        };
        let media = folder.path().join("media");
        let own = [
            ("DATABASE_URL", postgres.url()),
            ("REDIS_URL", redis.as_ref().map(Redis::url).unwrap_or_default()),
            ("ENCRYPTION_KEY", "7".repeat(64)),
            ("MEDIA_URL", format!("file://{}", media.display())),
            ("PRACTICE_URL", practice.site.url().to_owned()),
        ];
        let settings = PACE
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .chain(own.map(|(name, value)| (name.to_owned(), value)))
            .collect();
        Ok(Self {
            servers: Vec::new(),
            workers: Vec::new(),
            redis,
            postgres,
            practice,
            settings,
            folder,
        })
    }

    /// Changes a setting for processes that are made from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// A process that is not started yet, with a data folder of its own.
    ///
    /// # Errors
    ///
    /// No port is free, or the folder cannot be made.
    pub fn member(&self, name: &str, role: Role) -> Result<Member> {
        Member::new(self.folder.path().join(name), role, self.settings.clone())
    }

    /// Starts so many servers, and so many workers that take this many jobs at a time.
    ///
    /// # Errors
    ///
    /// Any of them does not start.
    pub async fn add(&mut self, servers: usize, workers: usize, concurrency: usize) -> Result<()> {
        for number in self.servers.len() + 1..=self.servers.len() + servers {
            let mut server = self.member(&format!("server-{number}"), Role::Server)?;
            server.start().await?;
            self.servers.push(server);
        }
        for number in self.workers.len() + 1..=self.workers.len() + workers {
            let role = Role::Worker(vec![
                "--name".to_owned(),
                format!("worker-{number}"),
                "--concurrency".to_owned(),
                concurrency.to_string(),
            ]);
            let mut worker = self.member(&format!("worker-{number}"), role)?;
            worker.start().await?;
            self.workers.push(worker);
        }
        Ok(())
    }

    /// A client of one of the servers, or of what stands before them.
    ///
    /// # Errors
    ///
    /// There is no token.
    pub fn client(&self, url: &str) -> Result<Client> {
        let token = self.servers.first().context("there is no server")?.token_file();
        Ok(Client::builder(url).token_file(token).lazy()?)
    }

    /// What the practice site says.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.practice.site
    }

    /// The file of everything that the site accepted.
    #[must_use]
    pub fn records_file(&self) -> PathBuf {
        self.folder.path().join("records.jsonl")
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends all of it in an orderly way.
    ///
    /// # Errors
    ///
    /// Something did not end by itself.
    pub async fn stop(self) -> Result<()> {
        let mut result = Ok(());
        for mut member in self.servers.into_iter().chain(self.workers) {
            result = result.and(member.stop().await);
        }
        self.practice.stop().await?;
        self.postgres.stop().await?;
        result
    }

    /// The same, and where something failed keeps what the processes left and says where.
    ///
    /// # Errors
    ///
    /// What it was given, or that something did not end.
    pub async fn close(mut self, told: Result<()>) -> Result<()> {
        if let Err(error) = &told {
            self.folder.disable_cleanup(true);
            eprintln!("{error:#}\nkept: {}", self.folder.path().display());
        }
        let stopped = self.stop().await;
        told.and(stopped)
    }
}
