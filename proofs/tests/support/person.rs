//! A person at a screen: a virtual display, and a second driver on the browser of a manual takeover. It shares nothing
//! with the connector and sends plain requests to the driver.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(30);
/// The key of an element's id in WebDriver answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A virtual display with a number that no other process uses.
pub struct Screen {
    pub display: String,
    _server: Child,
}

impl Screen {
    /// Starts a display.
    ///
    /// # Errors
    ///
    /// Fails if `Xvfb` is missing or does not start.
    pub async fn start() -> Result<Self> {
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1400x1800x24",
                "-nolisten",
                "tcp",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("Xvfb cannot be started: apt-get install xvfb")?;
        let number = line(server.stdout.take(), |line| Some(line.trim().to_owned())).await?;
        Ok(Self {
            display: format!(":{number}"),
            _server: server,
        })
    }
}

/// Writes a script that starts the browser with a debugging port beside its pipe. Without the port, no second client
/// can reach the window.
///
/// # Errors
///
/// Fails if the script cannot be written.
pub fn browser_with_port(folder: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;

    let named = std::env::var("BROWSER_BINARY")
        .ok()
        .filter(|path| !path.is_empty());
    let browser = named.unwrap_or_else(|| "chromium".to_owned());
    let script = folder.join("browser-with-port");
    std::fs::write(
        &script,
        format!("#!/bin/sh\nexec '{browser}' --remote-debugging-port=0 \"$@\"\n"),
    )?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

/// A person at the window of a manual takeover.
pub struct Person {
    http: reqwest::Client,
    session: String,
    _driver: Child,
}

impl Person {
    /// Attaches to the only window that is open for an attempt.
    ///
    /// # Errors
    ///
    /// Fails if there is no window, or if it cannot be reached.
    pub async fn attach(attempts: &Path) -> Result<Self> {
        let port = debugging_port(attempts).await?;
        let program = std::env::var_os("CHROMEDRIVER").filter(|path| !path.is_empty());
        let program = program.map_or_else(|| PathBuf::from("chromedriver"), PathBuf::from);
        let mut driver = Command::new(program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("chromedriver cannot be started")?;
        let own_port = line(driver.stdout.take(), |line| {
            let (_, port) = line.rsplit_once("successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        })
        .await?;
        let http = client()?;
        let driver_url = format!("http://127.0.0.1:{own_port}/session");
        let options = json!({ "debuggerAddress": format!("127.0.0.1:{port}") });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let answer = answer(http.post(&driver_url).json(&wanted)).await?;
        let id = answer["sessionId"].as_str().context("no session")?;
        Ok(Self {
            session: format!("{driver_url}/{id}"),
            http,
            _driver: driver,
        })
    }

    /// Waits for the element with this test id and clicks it.
    ///
    /// # Errors
    ///
    /// Fails if the element is missing or cannot be clicked.
    pub async fn click(&self, test_id: &str) -> Result<()> {
        let element = self.find(&format!("[data-testid=\"{test_id}\"]")).await?;
        self.post(&format!("/element/{element}/click"), json!({})).await?;
        Ok(())
    }

    /// Replaces the text of a field.
    ///
    /// # Errors
    ///
    /// Fails if the field is missing or accepts no text.
    pub async fn write(&self, css: &str, text: &str) -> Result<()> {
        let element = self.find(css).await?;
        self.post(&format!("/element/{element}/clear"), json!({})).await?;
        self.post(&format!("/element/{element}/value"), json!({ "text": text }))
            .await?;
        Ok(())
    }

    /// Waits until the window shows an address that contains `part`.
    ///
    /// # Errors
    ///
    /// Fails if it does not in time.
    pub async fn arrives(&self, part: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let shown = answer(self.http.get(format!("{}/url", self.session))).await?;
            if shown.as_str().is_some_and(|url| url.contains(part)) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "the window shows {shown}, not {part}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Opens another address in the same window.
    ///
    /// # Errors
    ///
    /// Fails if the page does not load.
    pub async fn go(&self, url: &str) -> Result<()> {
        self.post("/url", json!({ "url": url })).await?;
        Ok(())
    }

    /// Closes the window, and with it the browser.
    ///
    /// # Errors
    ///
    /// Fails if the window stays open.
    pub async fn close(&self) -> Result<()> {
        answer(self.http.delete(format!("{}/window", self.session))).await?;
        Ok(())
    }

    async fn find(&self, css: &str) -> Result<String> {
        let until = Instant::now() + PATIENCE;
        let wanted = json!({ "using": "css selector", "value": css });
        loop {
            match self.post("/element", wanted.clone()).await {
                Ok(found) => return Ok(found[ELEMENT].as_str().context("an element")?.to_owned()),
                Err(error) if Instant::now() > until => return Err(error.context(css.to_owned())),
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        answer(self.http.post(format!("{}{path}", self.session)).json(&body)).await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it talks to a driver on this machine and carries no secret"
)]
fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?)
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value> {
    let answer: Value = request.send().await?.json().await?;
    let value = answer["value"].clone();
    if let Some(error) = value["error"].as_str() {
        bail!("{error}: {}", value["message"]);
    }
    Ok(value)
}

/// Finds the debugging port of the browser of the only open attempt.
async fn debugging_port(attempts: &Path) -> Result<u16> {
    let until = Instant::now() + PATIENCE;
    loop {
        let folders = std::fs::read_dir(attempts).into_iter().flatten().flatten();
        let found: Vec<u16> = folders
            .filter_map(|folder| {
                let file = folder.path().join("profile").join("DevToolsActivePort");
                std::fs::read_to_string(file).ok()?.lines().next()?.parse().ok()
            })
            .collect();
        match found.as_slice() {
            [port] => return Ok(*port),
            _ if Instant::now() < until => sleep(Duration::from_millis(100)).await,
            other => bail!("{} windows are open", other.len()),
        }
    }
}

/// Returns the first line for which `read` returns a value.
async fn line(
    output: Option<impl AsyncRead + Unpin>,
    read: impl Fn(&str) -> Option<String>,
) -> Result<String> {
    let mut lines = BufReader::new(output.context("no output")?).lines();
    let value = timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await? {
            if let Some(value) = read(&line) {
                return Ok(value);
            }
        }
        bail!("it ended without that line")
    });
    value.await.context("it did not print that line in time")?
}
