//! The instance that is killed: it halts at a given stage, is killed there, and is started again on the same folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::sleep;
use vintedbot_domain::clock::{Clock as _, SystemClock};
use vintedbot_sdk::{Client, RetryPolicy};
use vintedbot_worker::Stage;

use crate::instance::{Browser, Instance, Setup};

/// The number of starts that may fail because another connection temporarily uses the instance's port.
const STARTS: usize = 4;
const BETWEEN_STARTS: Duration = Duration::from_millis(700);

/// The timings of the killed process, in milliseconds, named like its settings.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub lease_ms: i64,
    pub heartbeat_ms: i64,
    pub click_window_ms: i64,
    pub request_timeout_ms: i64,
    pub settle_ms: i64,
    pub settle_poll_ms: i64,
}

impl Pace {
    /// The timings for the driver without a browser.
    pub const BROWSERLESS: Self = Self {
        lease_ms: 1_200,
        heartbeat_ms: 300,
        click_window_ms: 500,
        request_timeout_ms: 700,
        settle_ms: 3_000,
        settle_poll_ms: 150,
    };
    /// The timings for Chromium, which is slower.
    pub const BROWSER: Self = Self {
        lease_ms: 5_000,
        heartbeat_ms: 1_000,
        click_window_ms: 4_000,
        request_timeout_ms: 4_000,
        settle_ms: 8_000,
        settle_poll_ms: 500,
    };

    /// Returns the time after a kill from which a successor may act.
    pub fn successor_after_ms(&self) -> i64 {
        self.lease_ms.max(self.click_window_ms + self.request_timeout_ms)
    }

    fn durations(&self) -> [(&'static str, i64); 9] {
        [
            ("JOBS_LEASE", self.lease_ms),
            ("JOBS_HEARTBEAT", self.heartbeat_ms),
            ("EFFECTS_CLICK_WINDOW", self.click_window_ms),
            ("EFFECTS_REQUEST_TIMEOUT", self.request_timeout_ms),
            ("EFFECTS_SETTLE", self.settle_ms),
            ("EFFECTS_SETTLE_POLL", self.settle_poll_ms),
            ("JOBS_BACKOFF", 100),
            ("BROWSER_PACING", 0),
            ("REPLIES_UNDO", 0),
        ]
    }
}

/// An instance that is killed repeatedly.
pub struct Victim {
    instance: Instance,
    pub client: Client,
    /// The file that the process creates when it halts.
    crash_file: PathBuf,
    pub armed: Option<Stage>,
    /// The time when it was last ready, in UTC milliseconds.
    pub ready_time: i64,
}

impl Victim {
    /// Starts an instance in `folder`, without a kill stage.
    pub async fn start(
        folder: &Path,
        practice_url: &str,
        browser: Browser,
        pace: Pace,
        failpoints: &str,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut settings: Vec<(String, String)> = pace
            .durations()
            .iter()
            .map(|(name, value)| ((*name).to_owned(), format!("{value}ms")))
            .collect();
        // Other tests cover the budgets.
        let unlimited = [
            "PUBLISH_PER_MINUTE",
            "PUBLISH_PER_MINUTE_ACCOUNT",
            "CHANGES_PER_MINUTE_ACCOUNT",
            "REPLIES_PER_MINUTE_ACCOUNT",
            "SYNC_NOW_PER_MINUTE",
        ];
        settings.extend(unlimited.map(|name| (name.to_owned(), "100000".to_owned())));
        settings.push(("LOG".to_owned(), "warn".to_owned()));
        settings.push(("WEBHOOK_ALLOWED_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()));
        settings.push(("FAILPOINTS".to_owned(), failpoints.to_owned()));
        let crash_file = folder.join("halted");
        settings.push(("CRASH_FILE".to_owned(), crash_file.display().to_string()));
        let setup = Setup {
            data_dir: folder.join("data"),
            practice_url: practice_url.to_owned(),
            browser,
            settings,
        };
        let mut instance = Instance::new(setup)?;
        instance.start().await?;
        let client = connect(&instance).await?;
        Ok(Self {
            instance,
            client,
            crash_file,
            armed: None,
            ready_time: SystemClock.now(),
        })
    }

    /// Starts it again, armed to halt at this stage.
    pub async fn restart(&mut self, armed: Option<Stage>) -> Result<()> {
        if self.crash_file.exists() {
            std::fs::remove_file(&self.crash_file)?;
        }
        self.instance.set("CRASH_AT", armed.map_or("", Stage::name));
        self.armed = armed;
        let mut tries = 1;
        while let Err(error) = self.instance.start().await {
            if tries == STARTS {
                return Err(error);
            }
            tries += 1;
            sleep(BETWEEN_STARTS).await;
        }
        self.client = connect(&self.instance).await?;
        self.ready_time = SystemClock.now();
        Ok(())
    }

    /// Returns whether it has halted at its armed stage.
    pub fn is_halted(&self) -> bool {
        self.armed.is_some() && self.crash_file.exists()
    }

    /// Sends SIGKILL to this process only. Returns the time in UTC milliseconds.
    pub async fn kill(&mut self) -> Result<i64> {
        if !self.instance.is_running() {
            bail!(
                "the process ended before its kill; see {}",
                self.instance.log_file().display()
            );
        }
        let time = SystemClock.now();
        self.instance.kill().await?;
        Ok(time)
    }

    /// Returns its database file.
    pub fn database(&self) -> PathBuf {
        self.instance.database()
    }

    /// Requests its end and waits for it.
    pub async fn stop(&mut self) -> Result<()> {
        self.instance.stop().await
    }

    /// Ends the processes that it left behind. Returns their number.
    pub fn end_leftovers(&self) -> usize {
        self.instance.end_leftovers()
    }
}

/// Returns a client that makes every call once. A kill interrupts calls, and the proof repeats them itself.
async fn connect(instance: &Instance) -> Result<Client> {
    let client = Client::builder(instance.url()).token_file(instance.token_file());
    let client = client
        .timeout(Duration::from_secs(5))
        .retry(RetryPolicy::never())
        .build()
        .await;
    client.context("cannot connect to the instance")
}
