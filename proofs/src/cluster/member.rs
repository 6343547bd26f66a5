//! One process of a cluster.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Duration, timeout};

use crate::instance::{Program, command, is_ready};
use crate::postgres::ports::Port;

/// The time limit for a refused start.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);

/// The role of a process.
#[derive(Clone, Debug)]
pub enum Role {
    Server,
    /// A worker with these arguments.
    Worker(Vec<String>),
}

/// A server or a worker. It can be started again after it was stopped or killed.
pub struct Member {
    role: Role,
    data_dir: PathBuf,
    port: Port,
    settings: Vec<(String, String)>,
    program: Option<Program>,
}

impl Member {
    pub(super) fn new(data_dir: PathBuf, role: Role, settings: Vec<(String, String)>) -> Result<Self> {
        std::fs::create_dir_all(&data_dir).with_context(|| data_dir.display().to_string())?;
        Ok(Self {
            role,
            data_dir,
            port: Port::take()?,
            settings,
            program: None,
        })
    }

    /// Changes a setting for the following starts.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Returns the server's URL for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    #[must_use]
    pub fn data_dir(&self) -> &PathBuf {
        &self.data_dir
    }

    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.data_dir.join("api-token")
    }

    /// Returns the file with its output and log over all starts.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.data_dir.with_extension("log")
    }

    /// Returns its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.program.as_ref().and_then(Program::pid)
    }

    pub fn is_running(&mut self) -> bool {
        self.program.as_mut().is_some_and(Program::is_running)
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    ///
    /// Fails if it ends instead. The error contains the end of its log.
    pub async fn start(&mut self) -> Result<()> {
        let said_before = self.log_length();
        let mut program = Program::start("vintedbot", self.command()?, self.log_file())?;
        let (address, log) = (self.port.address(), self.log_file());
        let is_server = matches!(self.role, Role::Server);
        program
            .wait_until(async || {
                if is_server {
                    return is_ready(address).await.unwrap_or(false);
                }
                let text = std::fs::read(&log).unwrap_or_default();
                let new = text.get(said_before..).unwrap_or_default();
                // Printed after the worker row is recorded.
                String::from_utf8_lossy(new).contains(" at a time: ")
            })
            .await?;
        self.program = Some(program);
        Ok(())
    }

    /// Expects a refused start. Returns the output.
    ///
    /// # Errors
    ///
    /// Fails if the start is not refused in time.
    pub async fn refused(&mut self) -> Result<String> {
        let output = timeout(REFUSED_WITHIN, self.command()?.kill_on_drop(true).output());
        let output = output.await.context("the start was not refused in time")??;
        if output.status.success() {
            bail!("the start was not refused");
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Sends SIGKILL. Its child processes keep running.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be ended.
    pub async fn kill(&mut self) -> Result<()> {
        match self.program.take() {
            Some(program) => program.kill().await,
            None => Ok(()),
        }
    }

    /// Requests its end and waits for it.
    ///
    /// # Errors
    ///
    /// Fails if it had to be killed.
    pub async fn stop(&mut self) -> Result<()> {
        match self.program.take() {
            Some(program) => program.stop().await,
            None => Ok(()),
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// Fails if it does not run.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        Ok(kill_process(pid.context("the process does not run")?, signal)?)
    }

    fn command(&self) -> Result<tokio::process::Command> {
        let mut command = command(&self.data_dir)?;
        match &self.role {
            Role::Server => command.arg("server"),
            Role::Worker(arguments) => command.arg("worker").args(arguments),
        };
        command
            .env("DATA_DIR", &self.data_dir)
            .env("LISTEN", self.port.address().to_string())
            .env("BROWSER", "off")
            .env("SESSION_MODE", "mock")
            .envs(self.settings.iter().cloned());
        Ok(command)
    }

    fn log_length(&self) -> usize {
        let length = std::fs::metadata(self.log_file()).map_or(0, |found| found.len());
        usize::try_from(length).unwrap_or(0)
    }
}
