//! A driver or grid elsewhere, in the place of a driver of our own: what is otherwise there.
//!
//! Its processes cannot be seen, so the session is all that there is to hold on to: it is ended by its driver's address
//! and its id, and what counts is what the driver says. Files are handed over, since it sees none of ours.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use thirtyfour::WebDriver;
use thirtyfour::common::command::{Command, ExtensionCommand};
use thirtyfour::error::{WebDriverError, WebDriverErrorInner};
use url::{Host, Url};
use vintedbot_marketplace::{ComposerIdentity, Ending, Error};
use zip::write::SimpleFileOptions;

use super::broken;
use super::failure::failed;
use crate::web::client;

/// How long a grid may take to end a session: it waits for the browser to close.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Where files are handed over: Selenium's grid, and the drivers themselves (as seen 2026-11, confidence A).
const UPLOADS: [&str; 2] = ["/se/file", "/file"];

/// One session of a driver elsewhere. Dropped, it is ended aside.
pub(crate) struct Session {
    address: String,
    is_ended: bool,
}

impl Session {
    pub(crate) fn new(driver_url: &str, id: &str) -> Self {
        Self {
            address: format!("{driver_url}/session/{id}"),
            is_ended: false,
        }
    }

    /// The session of a past attempt, if its browser was elsewhere.
    pub(crate) fn of(identity: &ComposerIdentity) -> Option<Self> {
        match (&identity.driver_url, &identity.session_id, &identity.driver) {
            (Some(url), Some(id), None) => Some(Self::new(url, id)),
            _ => None,
        }
    }

    /// Ends it. [`Ending::Ended`] only where the driver says that it did, or that there is no such session.
    pub(crate) async fn end(mut self) -> Ending {
        self.is_ended = true;
        end(&self.address).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.is_ended
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let address = std::mem::take(&mut self.address);
            runtime.spawn(async move { end(&address).await });
        }
    }
}

async fn end(address: &str) -> Ending {
    let Ok(client) = client::local(ENDS_WITHIN) else {
        return Ending::Unknown;
    };
    let answer = async {
        let answer = client.delete(address).send().await?;
        let is_done = answer.status().is_success();
        let body: Value = answer.json().await?;
        Ok::<_, reqwest::Error>((is_done, body))
    };
    match answer.await {
        // Both as WebDriver has it: a value, and the value of an error that names it.
        Ok((true, body)) if body.get("value").is_some() => Ending::Ended,
        Ok((false, body)) if body["value"]["error"] == "invalid session id" => Ending::Ended,
        Ok((_, body)) => {
            tracing::warn!(said = %body["value"]["error"], "the driver did not end a browser's session");
            Ending::Unknown
        }
        Err(error) => {
            tracing::warn!(error = %error.without_url(), "the driver did not say that a browser's session has ended");
            Ending::Unknown
        }
    }
}

/// Why there is no session: most of all, that every browser of a grid is taken.
pub(crate) fn not_started(error: WebDriverError) -> Error {
    let said = match &*error {
        WebDriverErrorInner::SessionNotCreated(info) | WebDriverErrorInner::UnknownError(info) => {
            info.value.message.clone()
        }
        _ => error.to_string(),
    };
    let said: String = said
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect();
    Error::Browser(format!(
        "the driver or grid at WEBDRIVER_URL gives no browser now: {said}"
    ))
}

/// The browser's own network events are listened to beside the driver; a grid passes them on, a bare driver on another
/// machine does not, and what answers here under the port that it names is another browser.
pub(crate) fn can_be_listened_to(driver: &WebDriver, url: &Url) -> Result<(), Error> {
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let capabilities = driver.capabilities();
    if is_here || capabilities.get("se:cdp").is_some() || capabilities.get("webSocketDebuggerUrl").is_some() {
        return Ok(());
    }
    Err(Error::Browser(
        "the driver at WEBDRIVER_URL is on another machine and passes no network events on; set WEBDRIVER_URL to a Selenium \
         Grid, or to a driver on this machine"
            .to_owned(),
    ))
}

/// Gives the driver's machine a file; answers with the path that it has there.
pub(crate) async fn hand_over(driver: &WebDriver, name: &Path, bytes: &[u8]) -> Result<PathBuf, Error> {
    let name = name.file_name().unwrap_or_default().to_string_lossy();
    let file = STANDARD.encode(zipped(&name, bytes).map_err(broken)?);
    let mut refused = String::new();
    for endpoint in UPLOADS {
        let upload = Upload {
            file: file.clone(),
            endpoint,
        };
        match driver
            .handle()
            .cmd(Command::ExtensionCommand(Box::new(upload)))
            .await
        {
            Ok(answer) => return Ok(answer.value::<String>().map_err(broken)?.into()),
            Err(error) if matches!(*error, WebDriverErrorInner::UnknownCommand(_)) => {
                refused = error.to_string();
            }
            Err(error) => return Err(failed(error)),
        }
    }
    let said = refused.lines().next().unwrap_or_default().trim();
    Err(broken(format!(
        "the driver at WEBDRIVER_URL takes no files, and so the form gets no photos: {said}"
    )))
}

/// As the endpoint wants it: an archive with one file in it.
fn zipped(name: &str, bytes: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(
        name,
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
    )?;
    archive.write_all(bytes)?;
    Ok(archive.finish()?.into_inner())
}

/// A photo would fill a page of the log.
struct Upload {
    file: String,
    endpoint: &'static str,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Upload").finish_non_exhaustive()
    }
}

impl ExtensionCommand for Upload {
    fn parameters_json(&self) -> Option<Value> {
        Some(json!({ "file": self.file }))
    }

    fn method(&self) -> reqwest::Method {
        reqwest::Method::POST
    }

    fn endpoint(&self) -> Arc<str> {
        self.endpoint.into()
    }
}
