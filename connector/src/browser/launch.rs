//! Starts and ends the driver and the browser of one attempt.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use thirtyfour::common::command::Command as DriverCommand;
use thirtyfour::{Capabilities, TimeoutConfiguration, WebDriver};
use vintedbot_marketplace::{Ending, Error, ListingFormIdentity, Process};

use super::devtools::DevTools;
use super::door::{Browser, Door};
use super::driver::Driver;
use super::failure::{not_started, versions_differ};
use super::traffic::Traffic;
use super::{BrowserConfig, broken, remote};
use crate::process;
use crate::web::client;

/// How long a browser may take to close on request before it is killed.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// Chromium's own switches. None of them hides that a program drives the browser. They prevent connections to hosts
/// other than the site, and questions that no person would answer.
const SWITCHES: [&str; 7] = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--window-size=1280,1600",
];

/// The browser of one attempt, with its driver if this process started it. The owner ends it with [`Launched::end`]. If
/// it is dropped instead, both are killed at once.
pub(crate) struct Launched {
    pub(crate) driver: WebDriver,
    pub(crate) identity: ListingFormIdentity,
    pub(crate) is_headless: bool,
    /// The driver and browser that this process started. `None` if the driver is remote; then only the session is ours.
    own: Option<(Driver, Browser)>,
    session: Option<remote::Session>,
    folder: Folder,
}

/// The folder of an attempt, by which all of its processes can be found. Unless they have ended, dropping it kills
/// them.
struct Folder {
    path: PathBuf,
    is_ended: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_ended {
            process::end_aside(self.path.clone(), scratch(&self.path));
        }
    }
}

impl Launched {
    /// Starts a driver on a free port and a browser with an empty profile. Navigates nowhere.
    pub(crate) async fn start(config: &BrowserConfig, work_dir: &Path) -> Result<(Self, Traffic), Error> {
        // The folder holds the cookies and photos of one account, so only this user may read it.
        tokio::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(work_dir)
            .await
            .map_err(broken)?;
        let folder = Folder {
            path: work_dir.to_path_buf(),
            is_ended: false,
        };
        // Fails if a folder of this name exists, because another user may own it.
        tokio::fs::DirBuilder::new()
            .mode(0o700)
            .create(scratch(work_dir))
            .await
            .map_err(broken)?;
        let (driver, own) = match &config.remote {
            Some(url) => {
                let url = format!("{}/", url.as_str().trim_end_matches('/'));
                let client = client::local(config.start_timeout)?;
                let capabilities = capabilities(config, work_dir, &config.browser_binary)?;
                let driver = WebDriver::builder(url, capabilities).client(client).await;
                (driver.map_err(remote::not_started)?, None)
            }
            None => {
                let (driver, own) = start_own(config, work_dir).await?;
                (driver, Some(own))
            }
        };
        // The session is ended only here, because the library's own way of ending it blocks a thread.
        driver.clone().leak().map_err(broken)?;
        let url = match (&own, &config.remote) {
            (Some((own, _)), _) => own.url.clone(),
            (None, remote) => remote
                .as_ref()
                .map_or("", |url| url.as_str())
                .trim_end_matches('/')
                .to_owned(),
        };
        let session = own
            .is_none()
            .then(|| remote::Session::new(&url, &driver.session_id().to_string()));
        let identity = ListingFormIdentity {
            worker: process::this_process(),
            driver_url: Some(url),
            session_id: Some(driver.session_id().to_string()),
            driver: own.as_ref().and_then(|(driver, _)| driver.process.clone()),
            browser: own.as_ref().and_then(|(_, browser)| browser.process.clone()),
            profile_dir: Some(work_dir.to_path_buf()),
        };
        let launched = Self {
            driver,
            identity,
            is_headless: config.headless,
            own,
            session,
            folder,
        };
        if let Some(url) = &config.remote {
            remote::can_be_listened_to(&launched.driver, url)?;
        }
        launched.same_version()?;
        launched.set_timeouts(config.page_load_timeout).await?;
        let traffic = launched.listen().await?;
        Ok((launched, traffic))
    }

    /// Fails if the major versions of driver and browser differ. Such a driver reports the problem only when a command
    /// fails.
    fn same_version(&self) -> Result<(), Error> {
        let capabilities = self.driver.capabilities();
        let text =
            |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_str).map(str::to_owned);
        let browser = text(capabilities.get("browserVersion"));
        let driver = text(
            capabilities
                .get("chrome")
                .map(|chrome| &chrome["chromedriverVersion"]),
        );
        let (Some(browser), Some(driver)) = (browser, driver) else {
            return Ok(());
        };
        let major = |version: &str| version.split('.').next().map(str::to_owned);
        if major(&browser) == major(&driver) {
            return Ok(());
        }
        let number = driver.split(' ').next().unwrap_or_default();
        Err(versions_differ(number, &browser))
    }

    /// Whether the browser's process is running. True if the process is not known.
    pub(crate) fn is_running(&self) -> bool {
        self.identity.browser.as_ref().is_none_or(process::is_running)
    }

    async fn set_timeouts(&self, page_load: Duration) -> Result<(), Error> {
        let timeouts = TimeoutConfiguration::new(
            Some(Duration::from_secs(20)),
            Some(page_load),
            Some(Duration::ZERO),
        );
        self.driver.update_timeouts(timeouts).await.map_err(broken)
    }

    async fn listen(&self) -> Result<Traffic, Error> {
        let window = self.driver.window().await.map_err(broken)?.to_string();
        let session = match &self.own {
            Some((_, browser)) => {
                browser.pipe.attach(&window).await?;
                DevTools::Own(browser.pipe.clone())
            }
            None => DevTools::Elsewhere(self.driver.cdp().connect().await.map_err(broken)?),
        };
        let target = session.send("Target.getTargetInfo", json!({})).await?;
        if target["targetInfo"]["targetId"] != window.as_str() {
            return Err(Error::Browser(
                "its network events belong to another window".to_owned(),
            ));
        }
        let denied = json!({ "behavior": "deny" });
        session.send("Browser.setDownloadBehavior", denied).await?;
        Traffic::listen(session).await
    }

    /// Closes the browser, ends both processes and removes the folder. Returns [`Ending::Ended`] only if all of them
    /// are seen to be gone.
    pub(crate) async fn end(mut self) -> Ending {
        if let Some(session) = self.session.take() {
            let ending = session.end().await;
            wipe(&self.folder.path).await;
            self.folder.is_ended = true;
            return ending;
        }
        let close = self.driver.handle().cmd(DriverCommand::DeleteSession);
        if let Ok(Err(error)) = tokio::time::timeout(CLOSES_WITHIN, close).await {
            tracing::debug!(%error, "the browser's session did not close; killing the browser");
        }
        let browser: Vec<Process> = self.identity.browser.iter().cloned().collect();
        process::gone_within(&browser, CLOSES_WITHIN).await;
        let is_reaped = match self.own.take() {
            Some((driver, mut browser)) => {
                let _ = browser.child.start_kill();
                let (driver, browser) = tokio::join!(
                    driver.end(CLOSES_WITHIN),
                    tokio::time::timeout(CLOSES_WITHIN, browser.child.wait())
                );
                driver && browser.is_ok()
            }
            None => true,
        };
        let known: Vec<Process> = [&self.identity.driver, &self.identity.browser]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let is_gone = process::end_all(&known, Some(&self.folder.path)).await;
        wipe(&self.folder.path).await;
        self.folder.is_ended = is_gone && is_reaped;
        if self.folder.is_ended {
            Ending::Ended
        } else {
            Ending::Unknown
        }
    }
}

/// Ends the remains of an attempt whose worker is gone. Returns `true` if the driver, the browser and every process
/// that names the attempt's folder are seen to be gone.
///
/// The process ids of a remote browser mean nothing here. Its session is ended instead, or its driver reports that
/// the session does not exist.
pub(crate) async fn end_leftover(identity: &ListingFormIdentity) -> bool {
    if let Some(session) = remote::Session::of(identity) {
        let is_gone = session.end().await == Ending::Ended;
        if is_gone && let Some(dir) = &identity.profile_dir {
            wipe(dir).await;
        }
        return is_gone;
    }
    let known: Vec<Process> = [&identity.driver, &identity.browser]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let is_gone = process::end_all(&known, identity.profile_dir.as_deref()).await;
    if is_gone && let Some(dir) = &identity.profile_dir {
        wipe(dir).await;
    }
    is_gone
}

/// Returns the folder for the temporary files of driver and browser, which remain if these are killed. Its name derives
/// from the attempt's folder. It is not inside that folder, because the browser creates sockets in it and a socket's
/// path must be short.
fn scratch(work_dir: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    work_dir.hash(&mut hasher);
    std::env::temp_dir().join(format!("vintedbot-{:016x}", hasher.finish()))
}

async fn wipe(work_dir: &Path) {
    process::wipe(work_dir.to_path_buf()).await;
    process::wipe(scratch(work_dir)).await;
}

/// Starts a driver and, on its request, a browser with an empty profile.
async fn start_own(config: &BrowserConfig, work_dir: &Path) -> Result<(WebDriver, (Driver, Browser)), Error> {
    let scratch = scratch(work_dir);
    let door = Door::put(&config.host, &scratch)?;
    let driver = Driver::start(config, work_dir, &scratch).await?;
    let capabilities = capabilities(config, work_dir, door.path())?;
    let client = client::at(&driver.socket, config.start_timeout)?;
    let session = async {
        let started = WebDriver::builder(format!("{}/", driver.url), capabilities).client(client);
        started.await.map_err(not_started)
    };
    let (session, browser) = tokio::try_join!(session, door.browser(&config.browser_binary, &scratch))?;
    Ok((session, (driver, browser)))
}

fn capabilities(config: &BrowserConfig, work_dir: &Path, binary: &Path) -> Result<Capabilities, Error> {
    let mut switches: Vec<String> = SWITCHES.map(str::to_owned).to_vec();
    if config.remote.is_none() {
        // A remote machine has no such folder; its driver creates an empty profile.
        switches.push(format!("--user-data-dir={}", work_dir.join("profile").display()));
        // The driver adopts this switch: it uses the pipe too, and no debugging port listens.
        switches.push("--remote-debugging-pipe".to_owned());
    }
    if let Some(proxy) = &config.proxy {
        switches.push(format!("--proxy-server={proxy}"));
    }
    if config.headless {
        switches.push("--headless=new".to_owned());
    }
    if rustix::process::geteuid().is_root() {
        // Chromium refuses to start as root with its sandbox.
        switches.push("--no-sandbox".to_owned());
    }
    let mut capabilities = Capabilities::new();
    let mut options = json!({
        "args": switches,
        // The new-tab page would send network requests and is slow to leave.
        "prefs": { "session.restore_on_startup": 4, "session.startup_urls": ["about:blank"] },
    });
    if !binary.as_os_str().is_empty() {
        options["binary"] = json!(binary);
    }
    for (name, value) in [
        ("browserName", json!("chrome")),
        ("unhandledPromptBehavior", json!("dismiss and notify")),
        ("goog:chromeOptions", options),
    ] {
        capabilities.set(name, value).map_err(broken)?;
    }
    Ok(capabilities)
}
