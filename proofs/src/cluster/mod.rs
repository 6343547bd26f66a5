//! A cluster: servers and workers of the real program on PostgreSQL, with or without Redis.

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

/// Shorter timings, so that a proof takes minutes instead of hours.
const PACE: [(&str, &str); 18] = [
    ("JOBS_LEASE", "3000ms"),
    ("JOBS_HEARTBEAT", "800ms"),
    ("EFFECTS_CLICK_WINDOW", "1000ms"),
    ("EFFECTS_REQUEST_TIMEOUT", "2500ms"),
    ("EFFECTS_SETTLE", "3000ms"),
    ("EFFECTS_SETTLE_POLL", "200ms"),
    ("JOBS_BACKOFF", "100ms"),
    ("JOBS_BACKOFF_MAX", "2000ms"),
    ("JOBS_MAX_FAILURES", "1000"),
    ("JOBS_MAX_CLAIMS", "1000"),
    ("BROWSER_PACING", "0ms"),
    ("PUBLISH_PER_MINUTE", "100000"),
    ("PUBLISH_PER_MINUTE_ACCOUNT", "100000"),
    ("REPLIES_PER_MINUTE_ACCOUNT", "100000"),
    ("SYNC_NOW_PER_MINUTE", "100000"),
    ("REPLIES_UNDO", "0ms"),
    ("UPLOADS_PER_MINUTE", "100000"),
    ("LOG", "info,h2=info"),
];

/// The engines and the processes. All of them are killed on drop.
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
    /// Starts the engines and the practice site, but no process of the program.
    ///
    /// # Errors
    ///
    /// Fails if any of them does not start.
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

    /// Changes a setting for processes that are created afterwards.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Returns a process with its own data folder. It is not started.
    ///
    /// # Errors
    ///
    /// Fails if no port is free or the folder cannot be created.
    pub fn member(&self, name: &str, role: Role) -> Result<Member> {
        Member::new(self.folder.path().join(name), role, self.settings.clone())
    }

    /// Starts servers, and workers that run `concurrency` jobs at a time.
    ///
    /// # Errors
    ///
    /// Fails if any of them does not start.
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

    /// Returns a client of one of the servers, or of the proxy in front of them.
    ///
    /// # Errors
    ///
    /// Fails if there is no token.
    pub fn client(&self, url: &str) -> Result<Client> {
        let token = self.servers.first().context("there is no server")?.token_file();
        Ok(Client::builder(url).token_file(token).lazy()?)
    }

    /// Returns the admin API of the practice site.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.practice.site
    }

    /// Returns the file with all records of the site.
    #[must_use]
    pub fn records_file(&self) -> PathBuf {
        self.folder.path().join("records.jsonl")
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops all processes in order.
    ///
    /// # Errors
    ///
    /// Fails if a process had to be killed.
    pub async fn stop(self) -> Result<()> {
        let mut result = Ok(());
        for mut member in self.servers.into_iter().chain(self.workers) {
            result = result.and(member.stop().await);
        }
        self.practice.stop().await?;
        self.postgres.stop().await?;
        result
    }

    /// Stops all processes. If `result` or the stop failed, keeps the folder and prints its path.
    ///
    /// # Errors
    ///
    /// Returns the error in `result`, or else that of a process that did not stop.
    pub async fn close(mut self, result: Result<()>) -> Result<()> {
        if let Err(error) = &result {
            self.folder.disable_cleanup(true);
            eprintln!("{error:#}\nfolder kept: {}", self.folder.path().display());
        }
        let stopped = self.stop().await;
        result.and(stopped)
    }
}
