//! A remote driver or grid, used instead of a driver that this process starts.
//!
//! Its processes are not visible here. The session is therefore ended through the driver's address and the session id,
//! and only the driver's answer counts. Files must be uploaded to it, because it cannot read local files.

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
use vintedbot_marketplace::{Ending, Error, ListingFormIdentity};
use zip::write::SimpleFileOptions;

use super::broken;
use super::failure::failed;
use crate::web::client;

/// The time limit for ending a session. A grid waits for the browser to close.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// The endpoints for file uploads: Selenium Grid's, and that of the drivers themselves (as seen 2026-11, confidence A).
const UPLOADS: [&str; 2] = ["/se/file", "/file"];

/// A session of a remote driver. Dropping it ends the session in a background task.
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

    /// Returns the session of a past attempt, if its driver was remote.
    pub(crate) fn of(identity: &ListingFormIdentity) -> Option<Self> {
        match (&identity.driver_url, &identity.session_id, &identity.driver) {
            (Some(url), Some(id), None) => Some(Self::new(url, id)),
            _ => None,
        }
    }

    /// Ends the session. Returns [`Ending::Ended`] only if the driver confirms it, or reports that there is no such
    /// session.
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
        // WebDriver's two forms of an answer: a value, or the value of an error that names it.
        Ok((true, body)) if body.get("value").is_some() => Ending::Ended,
        Ok((false, body)) if body["value"]["error"] == "invalid session id" => Ending::Ended,
        Ok((_, body)) => {
            tracing::warn!(error = %body["value"]["error"], "the driver did not end a browser's session");
            Ending::Unknown
        }
        Err(error) => {
            tracing::warn!(error = %error.without_url(), "the driver did not confirm the end of a browser's session");
            Ending::Unknown
        }
    }
}

/// The error for a session that was not created, usually because every browser of a grid is in use.
pub(crate) fn not_started(error: WebDriverError) -> Error {
    let message = match &*error {
        WebDriverErrorInner::SessionNotCreated(info) | WebDriverErrorInner::UnknownError(info) => {
            info.value.message.clone()
        }
        _ => error.to_string(),
    };
    let message: String = message
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect();
    Error::Browser(format!(
        "the driver or grid at WEBDRIVER_URL started no browser: {message}"
    ))
}

/// Fails if the browser's network events cannot be received. They are read in parallel to the driver. A grid forwards
/// them. A bare driver on another machine does not, and on this machine its debugging port belongs to another browser.
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
        "the driver at WEBDRIVER_URL is on another machine and does not forward network events; set WEBDRIVER_URL \
         to a Selenium Grid, or to a driver on this machine"
            .to_owned(),
    ))
}

/// Uploads a file to the driver's machine and returns its path there.
pub(crate) async fn upload_file(driver: &WebDriver, name: &Path, bytes: &[u8]) -> Result<PathBuf, Error> {
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
    let message = refused.lines().next().unwrap_or_default().trim();
    Err(broken(format!(
        "the driver at WEBDRIVER_URL accepts no file uploads, which photos need: {message}"
    )))
}

/// Zips one file, as the endpoint expects.
fn zipped(name: &str, bytes: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(
        name,
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
    )?;
    archive.write_all(bytes)?;
    Ok(archive.finish()?.into_inner())
}

/// A file upload. Debug leaves out the file, because a photo would fill a page of the log.
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
