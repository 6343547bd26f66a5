//! PostgreSQL for a test: a database on the server that `scripts/with-postgres` runs for all tests, or a separate
//! server from Debian's binaries with a temporary folder and a free port.

use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

#[path = "ports.rs"]
pub mod ports;

use ports::Port;

const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// The pause before a server that ended unasked is started again.
const STARTS_AGAIN_AFTER: Duration = Duration::from_secs(1);
const STOPS_WITHIN: Duration = Duration::from_secs(20);
/// The server refuses to run as root. This user comes with Debian's package.
const USER: &str = "postgres";

/// The environment variable with the port of the server that all tests share.
const SHARED_PORT: &str = "TEST_POSTGRES_PORT";

/// An empty database, and its server if the test started one.
pub struct Postgres {
    port: u16,
    database: String,
    server: Option<Server>,
}

/// A running server. It is restarted if it ends unasked, as a service manager does. Dropping this kills it.
struct Server {
    end: Option<oneshot::Sender<()>>,
    supervisor: JoinHandle<Result<()>>,
}

impl Postgres {
    /// Creates a database on the shared server, or starts a server.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL is not installed or does not start.
    pub async fn start() -> Result<Self> {
        let Ok(port) = std::env::var(SHARED_PORT) else {
            return Self::own().await;
        };
        let port = port.parse().context(SHARED_PORT)?;
        for number in 0.. {
            // Process ids are reused, and an earlier test may have left a database of this name.
            let database = format!("test_{}_{number}", std::process::id());
            let made = client("createdb", port)?.arg(&database).output().await?;
            let message = String::from_utf8_lossy(&made.stderr);
            if made.status.success() {
                return Ok(Self {
                    port,
                    database,
                    server: None,
                });
            }
            ensure!(message.contains("already exists"), "createdb: {message}");
        }
        unreachable!("the numbers do not end")
    }

    /// Creates a database cluster and starts its server, for a test that stops or disturbs the server.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL is not installed or does not start.
    pub async fn own() -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("vintedbot-postgres-").tempdir()?;
        let user = if geteuid().is_root() {
            Some(user().await?)
        } else {
            None
        };
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let data = folder.path().join("data");
        let port = Port::take()?;
        let number = port.address().port();
        let files = ServerFiles {
            programs,
            folder,
            user,
            port,
        };
        let made = files
            .command("initdb")
            .arg("--pgdata")
            .arg(&data)
            .args([
                "--username=vintedbot",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ])
            .output()
            .await?;
        ensure!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        // No test crashes the machine, so durability is off. It is set in the file, and not in the command, so that SQL
        // can change it.
        std::fs::File::options()
            .append(true)
            .open(data.join("postgresql.conf"))?
            .write_all(b"fsync = off\n")?;

        let mut child = files.serve()?;
        files.wait_until_ready(&mut child).await?;
        let (end, ended) = oneshot::channel();
        Ok(Self {
            port: number,
            database: "postgres".to_owned(),
            server: Some(Server {
                end: Some(end),
                supervisor: tokio::spawn(files.supervise(child, ended)),
            }),
        })
    }

    /// Returns the value of `DATABASE_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://vintedbot@127.0.0.1:{}/{}", self.port, self.database)
    }

    /// Drops the database, or stops the server if the test started it. Open connections are closed.
    ///
    /// # Errors
    ///
    /// Fails if the server does not end in time. It is then killed.
    pub async fn stop(self) -> Result<()> {
        let Some(mut server) = self.server else {
            let mut command = client("dropdb", self.port)?;
            let dropped = command.arg("--force").arg(&self.database).output().await?;
            ensure!(
                dropped.status.success(),
                "dropdb: {}",
                String::from_utf8_lossy(&dropped.stderr)
            );
            return Ok(());
        };
        // Only this ends the supervisor.
        drop(server.end.take());
        (&mut server.supervisor).await?
    }
}

/// Builds a command for one of PostgreSQL's client programs and the server at this port.
fn client(program: &str, port: u16) -> Result<Command> {
    let mut command = Command::new(programs()?.join(program));
    command
        .args(["-h", "127.0.0.1", "-U", "vintedbot", "-p", &port.to_string()])
        .stdin(Stdio::null());
    Ok(command)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// The files of a server, and the user that it runs as.
struct ServerFiles {
    programs: PathBuf,
    folder: TempDir,
    user: Option<(u32, u32)>,
    port: Port,
}

impl ServerFiles {
    /// Keeps the server running until `end` fires.
    async fn supervise(self, mut child: Child, mut end: oneshot::Receiver<()>) -> Result<()> {
        loop {
            tokio::select! {
                _ = &mut end => break,
                _ = child.wait() => {}
            }
            sleep(STARTS_AGAIN_AFTER).await;
            child = self.serve()?;
        }
        if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            kill_process(pid, Signal::INT)?;
        }
        timeout(STOPS_WITHIN, child.wait())
            .await
            .context("PostgreSQL does not end")??;
        Ok(())
    }

    fn serve(&self) -> Result<Child> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))?;
        let child = self
            .command("postgres")
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .arg("-k")
            .arg(self.folder.path())
            .args(["-h", "127.0.0.1", "-p", &self.port.address().port().to_string()])
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(child)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    async fn wait_until_ready(&self, child: &mut Child) -> Result<()> {
        let until = Instant::now() + STARTS_WITHIN;
        loop {
            let mut asked = client("pg_isready", self.port.address().port())?;
            if asked.arg("-q").status().await?.success() {
                return Ok(());
            }
            if let Some(status) = child.try_wait()? {
                bail!("PostgreSQL ended instead of starting: {status}");
            }
            ensure!(
                Instant::now() < until,
                "PostgreSQL is not ready after {} s",
                STARTS_WITHIN.as_secs()
            );
            sleep(Duration::from_millis(30)).await;
        }
    }
}

/// Returns the folder with the programs of the newest installed server, as Debian lays them out.
fn programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .context("no PostgreSQL under /usr/lib/postgresql; apt-get install postgresql")?;
    Ok(PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin")))
}

async fn user() -> Result<(u32, u32)> {
    let id = async |what: &str| -> Result<u32> {
        let output = Command::new("id").args([what, USER]).output().await?;
        ensure!(
            output.status.success(),
            "there is no user {USER} to run PostgreSQL as"
        );
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    Ok((id("-u").await?, id("-g").await?))
}
