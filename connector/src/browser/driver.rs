//! Starts a driver that other users of the machine cannot reach: see [`driver_host`](crate::driver_host).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use vintedbot_marketplace::{Error, Process};

use super::{BrowserConfig, broken};
use crate::driver_host::{FAILED, HOST, PROBE, READY, REFUSED, SHARED};
use crate::{failpoints, process};

const ENDED_EARLY: &str = "the driver ended before it reported its port";
const STARTS: usize = 3;
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A running driver and its host process.
pub(crate) struct Driver {
    host: Child,
    /// Closing this pipe ends the host, and with it the driver.
    leash: Option<ChildStdin>,
    pub(crate) process: Option<Process>,
    /// The socket file of the driver.
    pub(crate) socket: PathBuf,
    /// The driver's base URL behind the socket. Its host name is never resolved.
    pub(crate) url: String,
}

/// The outcome of a host's start, if it did not fail.
enum Started {
    Ready(Box<Driver>),
    /// This machine permits no network namespace.
    Refused(String),
}

impl Driver {
    /// Starts a driver. Two drivers in the same network that start at once may choose the same port. One of them then
    /// ends immediately, having done nothing, and is started again.
    pub(crate) async fn start(
        config: &BrowserConfig,
        work_dir: &Path,
        scratch: &Path,
    ) -> Result<Self, Error> {
        let mut is_shared = failpoints::disables("driver") || !config.isolated;
        let mut tries = 1;
        loop {
            match start(config, work_dir, scratch, is_shared).await {
                Ok(Started::Ready(driver)) => return Ok(*driver),
                Ok(Started::Refused(reason)) if !is_shared => {
                    tracing::info!(
                        reason,
                        "the driver has no network namespace; other users of this machine can reach it"
                    );
                    is_shared = true;
                }
                Ok(Started::Refused(reason)) => return Err(broken(reason)),
                Err(Error::Browser(reason)) if reason == ENDED_EARLY && tries < STARTS => {
                    tracing::info!("{reason}; starting it again");
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends driver and host. Returns `false` if that takes longer than the limit.
    pub(crate) async fn end(mut self, limit: Duration) -> bool {
        self.leash = None;
        if tokio::time::timeout(limit, self.host.wait()).await.is_ok() {
            return true;
        }
        let _ = self.host.start_kill();
        tokio::time::timeout(limit, self.host.wait()).await.is_ok()
    }
}

/// Whether a driver can run in its own network namespace here, so that other users of the machine cannot reach it.
///
/// # Errors
/// The host program cannot be run.
pub fn is_isolated(config: &BrowserConfig) -> std::io::Result<bool> {
    let output = std::process::Command::new(&config.host)
        .args([HOST, PROBE])
        .stdin(Stdio::null())
        .output()?;
    Ok(config.isolated && output.stdout.starts_with(READY.as_bytes()))
}

async fn start(
    config: &BrowserConfig,
    work_dir: &Path,
    scratch: &Path,
    is_shared: bool,
) -> Result<Started, Error> {
    let socket = scratch.join("driver.sock");
    // A driver that ended early leaves its socket behind.
    let _ = tokio::fs::remove_file(&socket).await;
    let mut command = Command::new(&config.host);
    command.arg(HOST);
    if is_shared {
        command.arg(SHARED);
    }
    let mut host = command
        // Names the attempt's folder, by which a successor finds this process. The path of the driver's log does the
        // same for the driver.
        .arg(format!("--for={}", work_dir.display()))
        .arg(format!("--socket={}", socket.display()))
        .arg("--")
        .arg(&config.chromedriver)
        .arg("--port=0")
        // No page has this origin (RFC 6761 reserves `.invalid`), so the driver answers requests of no page.
        .arg("--allowed-origins=https://origin.invalid")
        .arg(format!(
            "--log-path={}",
            work_dir.join("chromedriver.log").display()
        ))
        .arg("--log-level=SEVERE")
        .env("TMPDIR", scratch)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A separate process group: Ctrl-C in the terminal reaches this process only, so that a drain can end things in
        // order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| broken(format!("{} does not start: {error}", config.host.display())))?;
    let leash = host.stdin.take();
    let stdout = host
        .stdout
        .take()
        .ok_or_else(|| broken("the driver's host has no output"))?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(STARTS_WITHIN, lines.next_line())
        .await
        .map_err(|_| broken("the driver did not report its port in time"))?
        .map_err(broken)?
        .ok_or_else(|| broken(ENDED_EARLY))?;
    if let Some(line) = line.strip_prefix(REFUSED) {
        return Ok(Started::Refused(line.to_owned()));
    }
    if let Some(line) = line.strip_prefix(FAILED) {
        return Err(broken(line));
    }
    let pid = line.strip_prefix(READY).and_then(|pid| pid.parse().ok());
    let pid: u32 = pid.ok_or_else(|| broken(format!("unexpected output of the driver's host: {line:?}")))?;
    Ok(Started::Ready(Box::new(Driver {
        host,
        leash,
        process: process::by_pid(pid),
        socket,
        url: "http://localhost".to_owned(),
    })))
}
