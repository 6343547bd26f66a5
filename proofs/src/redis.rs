//! A separate Redis server for a proof: Debian's program with a temporary folder, a password, and two free ports. The
//! second port uses TLS.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::postgres::ports::Port;

const STARTS_WITHIN: Duration = Duration::from_secs(20);
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const PASSWORD: &str = "only-of-this-proof";

/// A running server. It is killed on drop.
pub struct Redis {
    child: Child,
    port: Port,
    secure: Port,
    folder: TempDir,
}

impl Redis {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// Fails if Redis is not installed or does not start.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vintedbot-redis-").tempdir()?;
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        std::fs::write(folder.path().join(CERTIFICATE), cert.pem())?;
        std::fs::write(folder.path().join(KEY), signing_key.serialize_pem())?;
        let (port, secure) = (Port::take()?, Port::take()?);
        let child = serve(&port, &secure, &folder)?;
        let mut server = Self {
            child,
            port,
            secure,
            folder,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Returns the value for `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://:{PASSWORD}@{}", self.port.address())
    }

    /// Returns the URL with TLS, for clients that trust [`Redis::certificate`].
    #[must_use]
    pub fn secure_url(&self) -> String {
        format!("rediss://:{PASSWORD}@{}", self.secure.address())
    }

    /// Returns the file with the server's certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// Returns the URL with a wrong password.
    #[must_use]
    pub fn url_with_wrong_password(&self) -> String {
        format!("redis://:another@{}", self.port.address())
    }

    /// Sends SIGKILL. The data are lost.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be ended.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Starts it again at the same address after a kill.
    ///
    /// # Errors
    ///
    /// Fails if it does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        self.child = serve(&self.port, &self.secure, &self.folder)?;
        self.wait_until_ready().await
    }

    /// Deletes all data.
    ///
    /// # Errors
    ///
    /// Fails if it does not answer.
    pub async fn empty(&self) -> Result<()> {
        let answer = self.ask("FLUSHALL").await?;
        ensure!(answer.ends_with("+OK\r\n"), "FLUSHALL: {answer}");
        Ok(())
    }

    /// Closes every connection and refuses the password for a while, as a server does before it has loaded its access
    /// rules.
    ///
    /// # Errors
    ///
    /// Fails if it does not answer.
    pub async fn refuse(&self, time: Duration) -> Result<()> {
        let mut stream = TcpStream::connect(self.port.address()).await?;
        let begin = format!(
            "AUTH {PASSWORD}\r\nCONFIG SET requirepass another\r\nCLIENT KILL TYPE normal\r\nCLIENT KILL TYPE pubsub\r\n"
        );
        stream.write_all(begin.as_bytes()).await?;
        sleep(time).await;
        let end = format!("CONFIG SET requirepass {PASSWORD}\r\nQUIT\r\n");
        stream.write_all(end.as_bytes()).await?;
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await?;
        ensure!(
            !answers.contains("-ERR") && answers.matches("+OK").count() == 4,
            "{answers}"
        );
        Ok(())
    }

    /// Returns the number of keys.
    ///
    /// # Errors
    ///
    /// Fails if it does not answer.
    pub async fn keys(&self) -> Result<u64> {
        let answer = self.ask("DBSIZE").await?;
        let count = answer.rsplit(':').next().unwrap_or_default();
        count.trim().parse().with_context(|| answer.clone())
    }

    /// Pauses the process, like a machine that swaps. Connections stay open.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be signalled.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Resumes the process.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be signalled.
    pub fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        Ok(kill_process(pid.context("Redis does not run")?, signal)?)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let until = Instant::now() + STARTS_WITHIN;
        while !self
            .ask("PING")
            .await
            .is_ok_and(|answer| answer.ends_with("+PONG\r\n"))
        {
            if let Some(status) = self.child.try_wait()? {
                bail!("Redis ended instead of starting: {status}");
            }
            ensure!(Instant::now() < until, "Redis was not ready in time");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn ask(&self, command: &str) -> Result<String> {
        let answer = async {
            let mut stream = TcpStream::connect(self.port.address()).await?;
            let text = format!("AUTH {PASSWORD}\r\n{command}\r\nQUIT\r\n");
            stream.write_all(text.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(Duration::from_secs(5), answer).await??;
        // The last line is the answer to QUIT.
        Ok(answer.strip_suffix("+OK\r\n").unwrap_or(&answer).to_owned())
    }
}

fn serve(port: &Port, secure: &Port, folder: &TempDir) -> Result<Child> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("log"))?;
    let child = Command::new("redis-server")
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.address().port().to_string(),
        ])
        .args([
            "--tls-port",
            &secure.address().port().to_string(),
            "--tls-auth-clients",
            "no",
        ])
        .args([
            "--tls-cert-file",
            CERTIFICATE,
            "--tls-key-file",
            KEY,
            "--tls-ca-cert-file",
            CERTIFICATE,
        ])
        .args(["--requirepass", PASSWORD, "--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    child.context("cannot start redis-server; `make redis` installs it")
}
