//! Which browser and which driver.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use url::Url;
use vintedbot_marketplace::Error;

use super::broken;

/// Names under which distributions ship Chromium, then Chrome, which the same driver drives.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];
const DRIVERS: [&str; 2] = ["chromedriver", "chromium.chromedriver"];
/// Where some distributions keep them, out of reach of `PATH`.
const FOLDERS: [&str; 4] = [
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/snap/bin",
    "/opt/google/chrome",
];

/// How long a browser may take to start unless something else is said: a grid lets callers wait for a free one.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// How long a page may take to load unless something else is said.
const PAGE_LOADS_WITHIN: Duration = Duration::from_secs(45);

/// The browser that attempts are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserConfig {
    pub browser_binary: PathBuf,
    pub chromedriver: PathBuf,
    /// Without a window on a screen.
    pub headless: bool,
    /// The longest that a browser may take to start.
    pub start_timeout: Duration,
    /// The longest that a page may take to load.
    pub page_load_timeout: Duration,
    /// What it reaches the site through; absent on the practice site.
    pub proxy: Option<Url>,
    /// A driver or grid that runs already, in the place of a driver of one's own.
    pub remote: Option<Url>,
    /// The program that calls [`run_as_host`](crate::run_as_host) first of all: this one, unless something else is said.
    pub host: PathBuf,
    /// Whether a driver of one's own gets a network namespace, where the machine permits it. Without, every user of the
    /// machine reaches it.
    pub isolated: bool,
}

impl BrowserConfig {
    /// The browser and driver that are named, else those that are found under their usual names; `None` when nothing is
    /// named and none are found.
    ///
    /// # Errors
    /// What is named is not an executable file, or the other half of the pair is nowhere to be found.
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
                // Looked up once: a program that is replaced while it runs keeps the place, not the file.
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
    /// The browsers that a driver or grid elsewhere starts: the one that it knows, unless another is named.
    ///
    /// # Errors
    /// The address is none that a driver can have. It is not repeated, since it may have a password in it.
    pub fn remote(url: &str, binary: Option<&Path>, headless: bool) -> Result<Self, Error> {
        let url = Url::parse(url).ok().filter(|url| {
            let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
        });
        let url = url.ok_or_else(|| {
            Error::Browser(
                "WEBDRIVER_URL must look like http://host:4444, without a name and password".to_owned(),
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
    fn an_address_that_no_driver_has_is_refused_by_the_name_of_its_setting() {
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
                let said = error.to_string();
                assert!(
                    said.contains("WEBDRIVER_URL") && !said.contains("secret"),
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn what_is_named_is_never_replaced_by_a_search() {
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
