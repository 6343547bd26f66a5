//! Settings: the built-in default file, overridden by a file, overridden by the environment. Startup checks their
//! relations.

mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use figment::providers::{Format as _, Toml};
use figment::value::Value;
use figment::{Figment, Provider as _};
use ipnet::IpNet;
use serde::Deserialize;
use url::Url;
use vintedbot_domain::keys::sha256_hex;
use vintedbot_domain::settings::Settings;

use tables::{Aws, Limits, Log, Media, Metrics, Otlp, Practice, Smtp, Sync, Webhook};
pub use tables::{Browser, BrowserConfig, LogFormat};

/// The default configuration.
const DEFAULT: &str = include_str!("../../config.default.toml");
/// The configuration file that is read if VINTEDBOT_CONFIG names none.
const LOCAL_FILE: &str = "vintedbot.toml";
/// Environment variables whose name does not follow from the path of their setting.
const VARIABLES: [(&str, &str); 6] = [
    ("browser.mode", "BROWSER"),
    ("browser.chromedriver", "CHROMEDRIVER"),
    ("browser.webdriver_url", "WEBDRIVER_URL"),
    ("browser.selectors_file", "SELECTORS_FILE"),
    ("log.filter", "LOG"),
    ("publish.changes_per_minute_account", "CHANGES_PER_MINUTE_ACCOUNT"),
];
/// The interval between two readings of an account in minutes, as a number.
const SYNC_INTERVAL: (&str, &str) = ("sync.interval", "SYNC_INTERVAL_MIN");

/// The variables of version 0.1 that have another name now, with the path of their setting. Their values were numbers.
const RENAMED: [(&str, &str); 26] = [
    ("PACING_MS", "browser.pacing"),
    ("PRACTICE_BUYERS_S", "practice.buyers_interval"),
    ("MAX_CALLS_PER_OWNER", "limits.max_calls_per_workspace"),
    ("SCHEDULE_LATE_MS", "publish.schedule_late"),
    ("REPLY_UNDO_MS", "replies.undo"),
    ("CONFIRM_TOKEN_MS", "confirm_token_ttl"),
    ("SIGNED_URL_MS", "signed_url_ttl"),
    ("CLICK_WINDOW_MS", "effects.click_window"),
    ("REQUEST_TIMEOUT_MS", "effects.request_timeout"),
    ("SETTLE_MS", "effects.settle"),
    ("SETTLE_POLL_MS", "effects.settle_poll"),
    ("WATCH_MS", "effects.watch"),
    ("LEASE_MS", "jobs.lease"),
    ("HEARTBEAT_MS", "jobs.heartbeat"),
    ("ATTEMPT_TIMEOUT_MS", "jobs.attempt_timeout"),
    ("BACK_OFF_MS", "jobs.backoff"),
    ("BACK_OFF_MAX_MS", "jobs.backoff_max"),
    ("MAX_CLAIMS", "jobs.max_claims"),
    ("MAX_FAILURES", "jobs.max_failures"),
    ("EVENTS_KEEP_MS", "retention.events"),
    ("JOBS_KEEP_MS", "retention.jobs"),
    ("DELIVERIES_KEEP_MS", "retention.deliveries"),
    ("REQUESTS_KEEP_MS", "retention.requests"),
    ("WORKERS_KEEP_MS", "retention.workers"),
    ("UNUSED_PHOTOS_KEEP_MS", "retention.unused_photos"),
    ("SCREENSHOTS_KEEP_MS", "retention.screenshots"),
];

/// All settings, grouped as in `config.default.toml`, which describes them.
#[derive(Clone, Deserialize)]
pub struct Config {
    pub listen: SocketAddr,
    pub public_url: String,
    pub data_dir: PathBuf,
    pub database_url: String,
    pub row_level_security: bool,
    pub redis_url: String,
    pub allowed_origins: String,
    pub trusted_proxies: String,
    pub encryption_key: String,
    pub encryption_keys_old: String,
    pub proxy_url: String,
    pub concurrency: usize,
    pub smtp: Smtp,
    pub media: Media,
    pub aws: Aws,
    pub browser: BrowserConfig,
    pub practice: Practice,
    pub sync: Sync,
    pub log: Log,
    pub metrics: Metrics,
    pub otlp: Otlp,
    pub webhook: Webhook,
    pub limits: Limits,
    #[serde(skip)]
    pub settings: Option<Settings>,
}

impl Config {
    /// Reads the settings in force.
    ///
    /// # Errors
    /// A file or a setting that does not exist, a variable that version 0.1 knew under another name, a value of the wrong
    /// type, and settings that contradict each other. The message names the setting.
    pub fn load() -> Result<Self> {
        let file = std::env::var_os("VINTEDBOT_CONFIG").map(PathBuf::from);
        if let Some(file) = file.as_deref().filter(|file| !file.is_file()) {
            bail!("VINTEDBOT_CONFIG names {}, which is not a file", file.display());
        }
        let file = file.unwrap_or_else(|| PathBuf::from(LOCAL_FILE));
        Self::read(&file, |name| std::env::var(name).ok())
    }

    fn read(file: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let defaults = Figment::from(Toml::string(DEFAULT));
        let known = paths(&defaults)?;
        let own = Figment::from(Toml::file(file));
        for path in paths(&own)?.keys() {
            if !known.contains_key(path) {
                let now = successor(&known, path);
                let now = now.map_or_else(String::new, |path| {
                    format!("; it is now {path}; see CHANGELOG.md")
                });
                bail!("{}: there is no setting {path}{now}", file.display());
            }
        }
        for (old, path) in RENAMED {
            if environment(old).is_some() {
                bail!(
                    "the variable {old} is now {}; see CHANGELOG.md for its unit",
                    variable(path)
                );
            }
        }
        let mut figment = defaults.merge(own);
        for (path, default) in &known {
            let name = variable(path);
            let Some(text) = environment(&name) else { continue };
            let value = match default {
                _ if path == SYNC_INTERVAL.0 => Value::from(minutes(&text)?),
                // A password may consist of digits.
                Value::String(..) => Value::from(text),
                _ => text.parse().unwrap_or_else(|never: Infallible| match never {}),
            };
            figment = figment.merge((path.as_str(), value));
        }
        let mut config: Self = figment.extract().context("settings")?;
        let settings: Settings = figment.extract().context("settings")?;
        settings.check()?;
        if config.sync.interval_ms < 60_000 {
            bail!("sync.interval must be at least 1m");
        }
        let limits = &config.limits;
        let counts = [
            ("concurrency", config.concurrency),
            ("limits.max_connections", limits.max_connections),
            (
                "limits.max_connections_per_address",
                limits.max_connections_per_address,
            ),
            ("limits.max_calls_per_workspace", limits.max_calls_per_workspace),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, value)| *value < 1) {
            bail!("{name} must be at least 1");
        }
        if config.row_level_security && !config.is_shared() {
            bail!("row_level_security needs PostgreSQL: set database_url to postgres://…");
        }
        config.webhook_networks()?;
        config.trusted_proxies()?;
        config.check_public_url()?;
        // A browser receives file paths, and it does not know the working directory of this process.
        config.data_dir = std::path::absolute(&config.data_dir).context("data_dir")?;
        config.settings = Some(settings);
        Ok(config)
    }

    /// Returns the settings of the domain.
    pub fn settings(&self) -> Settings {
        self.settings.clone().expect("read() sets it")
    }

    fn check_public_url(&self) -> Result<()> {
        if self.public_url.is_empty() {
            return Ok(());
        }
        let url = self.public_url.parse::<Url>().ok();
        let is_page = url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_page {
            bail!(
                "public_url = {:?} is not a URL such as https://vintedbot.example",
                self.public_url
            );
        }
        Ok(())
    }

    /// Returns the internal networks to which webhooks may be sent.
    pub fn webhook_networks(&self) -> Result<Vec<IpNet>> {
        listed(&self.webhook.allowed_networks)
            .map(|text| {
                let network = text.parse::<IpNet>();
                network.with_context(|| {
                    format!("webhook.allowed_networks: {text:?} is not a network such as 192.168.1.0/24")
                })
            })
            .collect()
    }

    /// Returns the web origins whose pages may call the server.
    pub fn allowed_origins(&self) -> Vec<String> {
        listed(&self.allowed_origins).map(str::to_owned).collect()
    }

    /// Returns the reverse proxies that may name the client's address.
    pub fn trusted_proxies(&self) -> Result<Vec<IpNet>> {
        listed(&self.trusted_proxies)
            .map(|text| {
                let network = text
                    .parse::<IpNet>()
                    .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
                network.with_context(|| {
                    format!(
                        "trusted_proxies: {text:?} is neither an address nor a network such as 10.0.0.0/8"
                    )
                })
            })
            .collect()
    }

    /// Returns the base of links in mails.
    pub fn link_base(&self) -> String {
        if self.public_url.is_empty() {
            format!("http://{}", self.listen)
        } else {
            self.public_url.clone()
        }
    }

    /// Returns whether several processes can share the database.
    pub fn is_shared(&self) -> bool {
        self.database_url().starts_with("postgres")
    }

    /// Returns whether the database is in the data folder, so that the folder's lock also protects the database.
    pub fn locks_database(&self) -> bool {
        let file = vintedbot_domain::store::sqlite_file(&self.database_url());
        file.is_some_and(|file| file.parent() == Some(&*self.data_dir))
    }

    /// Returns the database URL.
    pub fn database_url(&self) -> String {
        if self.database_url.is_empty() {
            format!("sqlite://{}", self.data_dir.join("vintedbot.sqlite").display())
        } else {
            self.database_url.clone()
        }
    }

    /// Returns an id of this machine that is stable until it reboots, so that process ids in a shared database can be
    /// compared. A container has its own id, because it has its own process ids.
    pub fn host(&self) -> String {
        let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        // Each container has its own process id namespace.
        let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        sha256_hex(format!("{}/{}/{}", id.trim(), boot.trim(), space.display()))
            .chars()
            .take(16)
            .collect()
    }
}

/// Returns the entries of a setting that separates them by commas.
fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// Returns the settings of a source by path, such as `jobs.lease`.
fn paths(source: &Figment) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for (key, value) in source.data()?.into_values().flatten() {
        match value {
            Value::Dict(_, table) => {
                found.extend(
                    table
                        .into_iter()
                        .map(|(name, value)| (format!("{key}.{name}"), value)),
                );
            }
            value => drop(found.insert(key, value)),
        }
    }
    Ok(found)
}

/// Returns the environment variable of a setting: its path in capitals, without the table for `[limits]`.
fn variable(path: &str) -> String {
    let special = VARIABLES.iter().chain([&SYNC_INTERVAL]);
    match special.into_iter().find(|(special, _)| *special == path) {
        Some((_, name)) => (*name).to_owned(),
        None => path
            .trim_start_matches("limits.")
            .replace('.', "_")
            .to_ascii_uppercase(),
    }
}

/// Returns the path of a setting that version 0.1 had under another name. There, names had no tables, and each was its
/// variable in lower case.
fn successor<'a>(known: &'a BTreeMap<String, Value>, old: &str) -> Option<&'a str> {
    let old = old.to_ascii_uppercase();
    let renamed = RENAMED
        .iter()
        .find(|(name, _)| *name == old)
        .map(|(_, path)| *path);
    renamed.or_else(|| {
        known
            .keys()
            .map(String::as_str)
            .find(|path| variable(path) == old)
    })
}

/// Converts a number of minutes to a duration text.
fn minutes(text: &str) -> Result<String> {
    let count: u32 = text
        .parse()
        .with_context(|| format!("{} = {text:?} is not a number of minutes", SYNC_INTERVAL.1))?;
    Ok(format!("{count}m"))
}
