//! Runs the real `vintedbot` program as child processes: a practice site, and an instance in its own folder.
//!
//! Only this module of the proofs knows the names of the program's settings.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::postgres::ports::Port;
use crate::records::Site;

const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// A drain takes at most 10 s. After this time, a child is killed.
const STOPS_WITHIN: Duration = Duration::from_secs(15);
/// Short enough to measure the duration of a start.
const POLL: Duration = Duration::from_millis(2);
/// The environment variables of the caller that a child inherits. No others may influence a proof.
const PASSED_ON: [&str; 10] = [
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "DISPLAY",
    "XDG_RUNTIME_DIR",
    "RUST_BACKTRACE",
    "BROWSER_BINARY",
    "CHROMEDRIVER",
    "BROWSER_HEADLESS",
];

/// The driver that fills the site's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// A real Chromium. Without it, the instance does not start.
    Required,
    /// The browserless driver.
    Off,
}

/// The setup of an instance.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The data folder.
    pub data_dir: PathBuf,
    pub practice_url: String,
    pub browser: Browser,
    /// Additional settings by environment variable; they override the others.
    pub settings: Vec<(String, String)>,
}

/// One instance: server and worker in one process. After it was stopped or killed, it can be started again at the same
/// address.
#[derive(Debug)]
pub struct Instance {
    setup: Setup,
    port: Port,
    program: Option<Program>,
    descriptors: Option<u64>,
}

impl Instance {
    /// Chooses an address. Starts nothing.
    ///
    /// # Errors
    ///
    /// Fails if no port is free or the data folder cannot be created.
    pub fn new(setup: Setup) -> Result<Self> {
        std::fs::create_dir_all(&setup.data_dir).with_context(|| setup.data_dir.display().to_string())?;
        Ok(Self {
            setup,
            port: Port::take()?,
            program: None,
            descriptors: None,
        })
    }

    /// Returns the URL for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Returns the file with the first API token. It exists after the first start.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.setup.data_dir.join("api-token")
    }

    /// Returns its SQLite database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.setup.data_dir.join("vintedbot.sqlite")
    }

    /// Returns the file with its output and log over all starts.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.setup.data_dir.with_extension("log")
    }

    /// Returns its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.program.as_ref().and_then(Program::pid)
    }

    /// Changes a setting for the following starts.
    pub fn set(&mut self, name: &str, value: &str) {
        self.setup.settings.retain(|(known, _)| known != name);
        self.setup.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Limits the number of file descriptors for the following starts.
    pub fn limit_descriptors(&mut self, count: u64) {
        self.descriptors = Some(count);
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    ///
    /// Fails if it ends instead or is not ready within a minute. The error contains the end of its log.
    pub async fn start(&mut self) -> Result<()> {
        let browser = match self.setup.browser {
            Browser::Required => "required",
            Browser::Off => "off",
        };
        let mut command = command(&self.setup.data_dir)?;
        command
            .arg("serve")
            .env("DATA_DIR", &self.setup.data_dir)
            .env("LISTEN", self.port.address().to_string())
            .env("PRACTICE_URL", &self.setup.practice_url)
            .env("BROWSER", browser)
            .env("SESSION_MODE", "mock")
            .envs(self.setup.settings.iter().cloned());
        if let Some(count) = self.descriptors {
            command = limited(&command, count);
        }
        let mut program = Program::start("vintedbot serve", command, self.log_file())?;
        program
            .wait_until(async || is_ready(self.port.address()).await.unwrap_or(false))
            .await?;
        self.program = Some(program);
        Ok(())
    }

    /// Runs another command of the program on its data, whether it is running or not.
    ///
    /// # Errors
    ///
    /// Fails if the command fails. The error contains its output.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = command(&self.setup.data_dir)?;
        command
            .args(arguments)
            .env("DATA_DIR", &self.setup.data_dir)
            .envs(self.setup.settings.iter().cloned());
        let output = command.output().await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("vintedbot {}: {text}{error}", arguments.join(" "));
        }
        Ok(text)
    }

    /// Returns whether it is running.
    pub fn is_running(&mut self) -> bool {
        self.program.as_mut().is_some_and(Program::is_running)
    }

    /// Waits until it ends.
    ///
    /// # Errors
    ///
    /// Fails if it was not started.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let program = self.program.as_mut().context("the instance was not started")?;
        Ok(program.child.wait().await?)
    }

    /// Sends SIGKILL to its process only. Its child processes keep running.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be ended.
    pub async fn kill(&mut self) -> Result<()> {
        match self.program.take() {
            Some(mut program) => Ok(program.child.kill().await?),
            None => Ok(()),
        }
    }

    /// Requests its end, and kills it after 15 s.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be ended or had to be killed.
    pub async fn stop(&mut self) -> Result<()> {
        match self.program.take() {
            Some(program) => program.stop().await,
            None => Ok(()),
        }
    }

    /// Ends every process that was started on the data folder and outlived the instance: browsers and their drivers.
    /// Returns their number.
    pub fn end_leftovers(&self) -> usize {
        let pids = using(&self.setup.data_dir);
        for pid in &pids {
            let _ = kill_process(*pid, Signal::KILL);
        }
        pids.len()
    }
}

/// A practice site, started by the proof or already running.
#[derive(Debug)]
pub struct Practice {
    pub site: Site,
    program: Option<Program>,
    _port: Option<Port>,
}

impl Practice {
    /// Starts a practice site that writes its records to a file.
    ///
    /// # Errors
    ///
    /// Fails if it does not start.
    pub async fn start(records: &Path) -> Result<Self> {
        let port = Port::take()?;
        let address = port.address();
        let folder = records.parent().context("the records' file has no folder")?;
        let mut command = command(folder)?;
        command
            .arg("practice")
            .arg("--port")
            .arg(address.port().to_string())
            .arg("--records")
            .arg(records);
        let mut program = Program::start("vintedbot practice", command, records.with_extension("log"))?;
        let site = Site::new(&format!("http://{address}"))?;
        program.wait_until(async || site.rules().await.is_ok()).await?;
        Ok(Self {
            site,
            program: Some(program),
            _port: Some(port),
        })
    }

    /// Uses the practice site that runs at `url`.
    ///
    /// # Errors
    ///
    /// Fails if no practice site answers there.
    pub async fn at(url: &str) -> Result<Self> {
        let site = Site::new(url)?;
        site.rules().await?;
        Ok(Self {
            site,
            program: None,
            _port: None,
        })
    }

    /// Stops it, if the proof started it.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be ended or had to be killed.
    pub async fn stop(self) -> Result<()> {
        match self.program {
            Some(program) => program.stop().await,
            None => Ok(()),
        }
    }
}

/// A child process in its own process group, so that Ctrl-C in a terminal reaches it only through the proof. It is
/// killed on drop.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Program {
    pub(crate) fn start(name: &'static str, mut command: Command, log: PathBuf) -> Result<Self> {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let file = file.with_context(|| log.display().to_string())?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) async fn wait_until(&mut self, mut is_ready: impl AsyncFnMut() -> bool) -> Result<()> {
        let until = Instant::now() + STARTS_WITHIN;
        while !is_ready().await {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{} ended instead of starting ({status}):\n{}",
                    self.name,
                    self.log_end()
                );
            }
            if Instant::now() > until {
                bail!(
                    "{} is not ready after {} s:\n{}",
                    self.name,
                    STARTS_WITHIN.as_secs(),
                    self.log_end()
                );
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.pid().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            kill_process(pid, Signal::TERM)?;
        }
        match timeout(STOPS_WITHIN, self.child.wait()).await {
            Ok(status) => {
                status?;
                Ok(())
            }
            Err(_elapsed) => {
                self.child.kill().await?;
                bail!(
                    "{} did not end within {} s and was killed",
                    self.name,
                    STOPS_WITHIN.as_secs()
                )
            }
        }
    }

    /// Kills it.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    fn log_end(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Returns a command that runs the program in `folder`, with only the variables in `PASSED_ON` from the caller's
/// environment.
pub(crate) fn command(folder: &Path) -> Result<Command> {
    let mut command = Command::new(program()?);
    // A separate folder, so that the program finds no settings file of the caller.
    command.current_dir(folder).env_clear().envs(passed_on());
    Ok(command)
}

/// Returns the same command with a limit of its file descriptors. The shell replaces itself, so the pid is the
/// program's.
fn limited(command: &Command, descriptors: u64) -> Command {
    let command = command.as_std();
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("ulimit -n {descriptors} && exec \"$0\" \"$@\""))
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

/// Finds the program beside this one: cargo builds all programs into one folder.
fn program() -> Result<&'static Path> {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found);
    }
    let own = std::env::current_exe()?;
    let folder = own.parent().context("the program has no folder")?;
    // Tests are one folder deeper, in `deps`.
    let program = [folder.join("vintedbot"), folder.join("../vintedbot")]
        .into_iter()
        .find(|path| path.is_file())
        .context("vintedbot is not in the folder of this program: run `make build`")?;
    if let Some(source) = newer_source(&program) {
        bail!("vintedbot is older than {}: run `make build`", source.display());
    }
    Ok(FOUND.get_or_init(|| program))
}

/// Finds a source file that changed after the program was built, so that no test uses an old build. Cargo lists the
/// sources in a file beside the program.
fn newer_source(program: &Path) -> Option<PathBuf> {
    let time = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    let built = time(program)?;
    let listed = std::fs::read_to_string(program.with_extension("d")).ok()?;
    let (_, sources) = listed.split_once(": ")?;
    sources
        .split_whitespace()
        .map(PathBuf::from)
        .find(|source| time(source).is_none_or(|changed| changed > built))
}

fn passed_on() -> impl Iterator<Item = (&'static str, OsString)> {
    PASSED_ON
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)))
}

/// Returns whether an instance reports that it is ready. Uses no HTTP client, because creating one takes longer than
/// the start of an instance.
pub(crate) async fn is_ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(&status == b"HTTP/1.1 200")
}

/// Returns all processes that have a folder's path in their command line.
pub fn using(folder: &Path) -> Vec<Pid> {
    let Some(folder) = folder.to_str() else {
        return Vec::new();
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            String::from_utf8_lossy(&line).contains(folder).then_some(pid)
        })
        .collect()
}
