//! Which browser and driver to use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use url::Url;
use vintedbot_marketplace::Error;

use super::broken;

/// Executable names of Chromium in common distributions, then of Chrome, which the same driver drives.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];
const DRIVERS: [&str; 2] = ["chromedriver", "chromium.chromedriver"];
/// Folders outside `PATH` in which some distributions install them.
const FOLDERS: [&str; 4] = [
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/snap/bin",
    "/opt/google/chrome",
];

/// The default time limit for starting a browser. It is long because a grid queues callers until a browser is free.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// The default time limit for loading a page.
const PAGE_LOADS_WITHIN: Duration = Duration::from_secs(45);

/// The browser configuration of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserConfig {
    pub browser_binary: PathBuf,
    pub chromedriver: PathBuf,
    /// Whether the browser runs without a window on a screen.
    pub headless: bool,
    /// The time limit for starting a browser.
    pub start_timeout: Duration,
    /// The time limit for loading a page.
    pub page_load_timeout: Duration,
    /// The proxy for the connection to the site; absent on the practice site.
    pub proxy: Option<Url>,
    /// The URL of a running driver or grid to use instead of starting a driver.
    pub remote: Option<Url>,
    /// The program that calls [`run_as_host`](crate::run_as_host) before anything else; by default this program.
    pub host: PathBuf,
    /// Whether a driver that this process starts runs in its own network namespace, if the machine permits one.
    /// Otherwise every user of the machine can reach the driver.
    pub isolated: bool,
}

impl BrowserConfig {
    /// Finds the browser and the driver: the named ones, else those under the usual names. Returns `None` if nothing is
    /// named and the pair is incomplete.
    ///
    /// # Errors
    /// A named path is not an executable file, or the other half of the pair is missing.
    pub fn find(
        binary: Option<&Path>,
        chromedriver: Option<&Path>,
        headless: bool,
    ) -> Result<Option<Self>, Error> {
        let is_named = binary.is_some() || chromedriver.is_some();
        let browser = named_or_found("browser", binary, &BROWSERS)?;
        let driver = named_or_found("driver", chromedriver, &DRIVERS)?;
        match (browser, driver) {
            (Some(browser_binary), Some(chromedriver)) => Ok(Some(Self {
                browser_binary,
                chromedriver,
                headless,
                start_timeout: STARTS_WITHIN,
                page_load_timeout: PAGE_LOADS_WITHIN,
                proxy: None,
                remote: None,
                // Read once: the path stays valid if the program's file is replaced while it runs.
                host: std::env::current_exe().map_err(broken)?,
                isolated: true,
            })),
            (None, _) if is_named => Err(Error::Browser(
                "a driver is named, but no browser is found".to_owned(),
            )),
            (_, None) if is_named => Err(Error::Browser(
                "a browser is named, but no driver is found".to_owned(),
            )),
            _ => Ok(None),
        }
    }
}

impl BrowserConfig {
    /// Configures browsers that a remote driver or grid starts: the named binary, else the driver's default.
    ///
    /// # Errors
    /// The URL is not a valid driver address. The error does not repeat it, because it may contain a password.
    pub fn remote(url: &str, binary: Option<&Path>, headless: bool) -> Result<Self, Error> {
        let url = Url::parse(url).ok().filter(|url| {
            let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
        });
        let url = url.ok_or_else(|| {
            Error::Browser(
                "WEBDRIVER_URL must look like http://host:4444, without user name and password".to_owned(),
            )
        })?;
        Ok(Self {
            browser_binary: binary.map(Path::to_path_buf).unwrap_or_default(),
            chromedriver: PathBuf::new(),
            headless,
            start_timeout: STARTS_WITHIN,
            page_load_timeout: PAGE_LOADS_WITHIN,
            proxy: None,
            remote: Some(url),
            host: PathBuf::new(),
            isolated: true,
        })
    }
}

fn named_or_found(what: &str, named: Option<&Path>, usual: &[&str]) -> Result<Option<PathBuf>, Error> {
    if let Some(path) = named {
        if !is_executable(path) {
            return Err(Error::Browser(format!(
                "{what} {} is not an executable file",
                path.display()
            )));
        }
        return Ok(Some(path.to_path_buf()));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path)
        .chain(FOLDERS.map(PathBuf::from))
        .collect();
    Ok(usual
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| is_executable(path)))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_driver_address_is_refused_and_names_the_setting() {
        for (url, expected) in [
            ("http://127.0.0.1:4444", true),
            ("https://grid.example/wd/hub", true),
            ("ws://127.0.0.1:4444", false),
            ("127.0.0.1:4444", false),
            ("http://name:secret@grid.example", false),
        ] {
            let config = BrowserConfig::remote(url, None, true);
            assert_eq!(config.is_ok(), expected, "{url}");
            if let Err(error) = config {
                let message = error.to_string();
                assert!(
                    message.contains("WEBDRIVER_URL") && !message.contains("secret"),
                    "{message}"
                );
            }
        }
    }

    #[test]
    fn configured_binary_is_never_replaced_by_a_search() {
        let missing = Path::new("/nonexistent/chromium");
        assert!(matches!(
            BrowserConfig::find(Some(missing), None, true),
            Err(Error::Browser(_))
        ));
        assert!(matches!(
            BrowserConfig::find(None, Some(missing), true),
            Err(Error::Browser(_))
        ));
    }
}
