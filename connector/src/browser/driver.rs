//! A driver of our own, where no other user of the machine reaches it: see [`driver_host`](crate::driver_host).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use vintedbot_marketplace::{Error, Process};

use super::{BrowserConfig, broken};
use crate::driver_host::{FAILED, HOST, PROBE, READY, REFUSED, SHARED};
use crate::{failpoints, process};

const ENDED_EARLY: &str = "the driver ended before it said its port";
const STARTS: usize = 3;
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// A running driver with its host.
pub(crate) struct Driver {
    host: Child,
    /// Closed, it ends the host, and with it the driver.
    leash: Option<ChildStdin>,
    pub(crate) process: Option<Process>,
    /// The socket file at which it is reached.
    pub(crate) socket: PathBuf,
    /// Where it is behind that; no name is ever looked up.
    pub(crate) url: String,
}

/// How a host's start went, where it is not over.
enum Started {
    Ready(Box<Driver>),
    /// This machine permits no namespace.
    Refused(String),
}

impl Driver {
    /// Starts a driver. Two that start at once may choose the same port, where they share a network, and one of them ends at
    /// once, having done nothing: it is started again.
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
                Ok(Started::Refused(said)) if !is_shared => {
                    tracing::info!(
                        said,
                        "the driver has no network namespace of its own; other users of this machine reach it"
                    );
                    is_shared = true;
                }
                Ok(Started::Refused(said)) => return Err(broken(said)),
                Err(Error::Browser(said)) if said == ENDED_EARLY && tries < STARTS => {
                    tracing::info!("{said}: it is started again");
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends driver and host. `false`: it took too long.
    pub(crate) async fn end(mut self, limit: Duration) -> bool {
        self.leash = None;
        if tokio::time::timeout(limit, self.host.wait()).await.is_ok() {
            return true;
        }
        let _ = self.host.start_kill();
        tokio::time::timeout(limit, self.host.wait()).await.is_ok()
    }
}

/// Whether a driver gets a network namespace of its own here, so that other users of the machine do not reach it.
///
/// # Errors
/// The program that tries it cannot be run.
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
    // Left by a driver that ended early.
    let _ = tokio::fs::remove_file(&socket).await;
    let mut command = Command::new(&config.host);
    command.arg(HOST);
    if is_shared {
        command.arg(SHARED);
    }
    let mut host = command
        // Names the attempt's folder, by which a successor finds this process; so does the driver's log.
        .arg(format!("--for={}", work_dir.display()))
        .arg(format!("--socket={}", socket.display()))
        .arg("--")
        .arg(&config.chromedriver)
        .arg("--port=0")
        // No page has this origin (RFC 6761 reserves `.invalid`), so the driver answers no page.
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
        // A group of its own: Ctrl-C in the terminal reaches us alone, so that a drain can end things in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| broken(format!("{} does not start: {error}", config.host.display())))?;
    let leash = host.stdin.take();
    let stdout = host
        .stdout
        .take()
        .ok_or_else(|| broken("a driver's host without output"))?;
    let mut lines = BufReader::new(stdout).lines();
    let said = tokio::time::timeout(STARTS_WITHIN, lines.next_line())
        .await
        .map_err(|_| broken("the driver did not say its port in time"))?
        .map_err(broken)?
        .ok_or_else(|| broken(ENDED_EARLY))?;
    if let Some(said) = said.strip_prefix(REFUSED) {
        return Ok(Started::Refused(said.to_owned()));
    }
    if let Some(said) = said.strip_prefix(FAILED) {
        return Err(broken(said));
    }
    let pid = said.strip_prefix(READY).and_then(|pid| pid.parse().ok());
    let pid: u32 = pid.ok_or_else(|| broken(format!("a driver's host said {said:?}")))?;
    Ok(Started::Ready(Box::new(Driver {
        host,
        leash,
        process: process::by_pid(pid),
        socket,
        url: "http://localhost".to_owned(),
    })))
}
