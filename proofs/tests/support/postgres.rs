//! A PostgreSQL server of the test's own: Debian's binaries, a folder that goes with it, a free port on this machine.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const STARTS_WITHIN: Duration = Duration::from_secs(30);
const STOPS_WITHIN: Duration = Duration::from_secs(20);
/// The server refuses to run as root; this user comes with Debian's package.
const USER: &str = "postgres";

/// A server that runs. Dropped, it is killed.
pub struct Postgres {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Postgres {
    /// Makes a database cluster and starts its server.
    ///
    /// # Errors
    ///
    /// There is no PostgreSQL on this machine, or it does not start.
    pub async fn start() -> Result<Self> {
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
        let command = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.current_dir(folder.path()).stdin(Stdio::null());
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let data = folder.path().join("data");
        let made = command("initdb")
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

        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let log = std::fs::File::create(folder.path().join("log"))?;
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            // A crash of the machine is no part of the story.
            .args(["-c", "fsync=off"])
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut server = Self {
            child,
            port,
            _folder: folder,
        };
        server.wait_until_ready(&programs).await?;
        Ok(server)
    }

    /// What `DATABASE_URL` is set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://vintedbot@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends the server, whoever is still connected.
    ///
    /// # Errors
    ///
    /// It does not end in time, and is killed.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            kill_process(pid, Signal::INT)?;
        }
        timeout(STOPS_WITHIN, self.child.wait())
            .await
            .context("PostgreSQL does not end")??;
        Ok(())
    }

    async fn wait_until_ready(&mut self, programs: &Path) -> Result<()> {
        let until = Instant::now() + STARTS_WITHIN;
        let port = self.port.to_string();
        loop {
            let mut asked = Command::new(programs.join("pg_isready"));
            asked.args(["-q", "-h", "127.0.0.1", "-p", &port, "-U", "vintedbot"]);
            if asked.status().await?.success() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
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

/// The folder with the newest server's programs, where Debian puts them.
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
