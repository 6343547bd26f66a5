//! The target of the attacks: an instance, a practice site and two workspaces.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use vintedbot_sdk::{Client, RetryPolicy};

use super::Options;
use crate::bench::process::peak_kib;
use crate::instance::{Browser, Instance, Practice, Setup};
use crate::load::workspaces;

/// The file descriptors of the instance, soft and hard limit; the usual value of a shell and a service manager.
const DESCRIPTORS: u64 = 1_024;

/// The target of the attacks.
pub struct Stage {
    instance: Instance,
    pub practice: Practice,
    pub folder: PathBuf,
    /// The tokens of the two workspaces, with every scope.
    pub attacker: String,
    pub honest: String,
    failpoints: String,
    /// The largest memory of instances that attacks started, in KiB.
    peak: AtomicU64,
}

impl Stage {
    /// Starts the instance.
    pub async fn set(options: &Options, folder: &Path) -> Result<Self> {
        let practice = Practice::start(&folder.join("records.jsonl")).await?;
        let own = [
            ("LOG", "warn"),
            ("BROWSER_PACING", "0ms"),
            ("UPLOADS_PER_MINUTE", "100000"),
            ("PUBLISH_PER_MINUTE", "100000"),
            ("PUBLISH_PER_MINUTE_ACCOUNT", "100000"),
            ("DATABASE_URL", &options.database_url),
            ("FAILPOINTS", &options.failpoints),
        ];
        let mut instance = Instance::new(Setup {
            data_dir: folder.join("data"),
            practice_url: practice.site.url().to_owned(),
            browser: Browser::Off,
            settings: settings(&own),
        })?;
        instance.limit_descriptors(DESCRIPTORS);
        // The first start creates the database.
        instance.start().await?;
        instance.stop().await?;
        let url = match options.database_url.as_str() {
            "" => format!("sqlite://{}", instance.database().display()),
            url => url.to_owned(),
        };
        let tokens = workspaces::make(&url, 2).await?;
        let [attacker, honest] = tokens.try_into().ok().context("there are not two workspaces")?;
        instance.start().await?;
        Ok(Self {
            instance,
            practice,
            folder: folder.to_owned(),
            attacker,
            honest,
            failpoints: options.failpoints.clone(),
            peak: AtomicU64::new(0),
        })
    }

    pub fn url(&self) -> String {
        self.instance.url()
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.url().trim_start_matches("http://").to_owned()
    }

    pub fn pid(&self) -> Result<u32> {
        self.instance.pid().context("the process does not run")
    }

    /// Returns a connection of the attacker.
    pub async fn client(&self) -> Result<Client> {
        let client = Client::builder(self.url()).token(&self.attacker);
        Ok(client.retry(RetryPolicy::never()).build().await?)
    }

    /// Returns a separate instance for an attack. It uses SQLite and is not started.
    pub fn own_instance(&self, name: &str, browser: Browser, own: &[(&str, &str)]) -> Result<Instance> {
        let base = [
            ("LOG", "warn"),
            ("BROWSER_PACING", "0ms"),
            ("FAILPOINTS", self.failpoints.as_str()),
        ];
        Instance::new(Setup {
            data_dir: self.folder.join(name),
            practice_url: self.practice.site.url().to_owned(),
            browser,
            settings: settings(&[&base[..], own].concat()),
        })
    }

    /// Stops an attack's separate instance and records its memory.
    pub async fn stop(&self, mut instance: Instance) -> Result<()> {
        self.note_peak(&instance)?;
        instance.stop().await
    }

    /// Records the memory of an attack's separate instance.
    pub fn note_peak(&self, instance: &Instance) -> Result<()> {
        if let Some(pid) = instance.pid() {
            self.peak.fetch_max(peak_kib(pid)?, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Returns the largest memory of separate instances since the last call, in KiB.
    pub fn take_peak(&self) -> u64 {
        self.peak.swap(0, Ordering::Relaxed)
    }

    /// Stops the instance.
    pub async fn strike(&mut self) -> Result<()> {
        self.instance.stop().await
    }
}

fn settings(own: &[(&str, &str)]) -> Vec<(String, String)> {
    own.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
