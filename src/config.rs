//! Settings: the built-in default file, overridden by a file, overridden by the environment. Startup checks their
//! relations.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use figment::providers::{Format as _, Toml};
use figment::value::Value;
use figment::{Figment, Provider as _};
use ipnet::IpNet;
use serde::Deserialize;
use url::Url;
use vintedbot_domain::keys::sha256_hex;
use vintedbot_domain::settings::{Settings, duration};

/// The default configuration.
const DEFAULT: &str = include_str!("../config.default.toml");
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

/// Whether a browser fills the site's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Browser {
    Auto,
    Required,
    Off,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// All settings, grouped as in `config.default.toml`, which describes them.
#[derive(Clone, Deserialize)]
pub struct Config {
    pub listen: SocketAddr,
    pub public_url: String,
    pub data_dir: PathBuf,
    pub database_url: String,
    pub redis_url: String,
    pub allowed_origins: String,
    pub encryption_key: String,
    pub encryption_keys_old: String,
    pub proxy_url: String,
    pub concurrency: usize,
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

/// `[media]`
#[derive(Clone, Deserialize)]
pub struct Media {
    pub url: String,
    pub path_style: bool,
}

/// `[aws]`
#[derive(Clone, Deserialize)]
pub struct Aws {
    pub endpoint_url: String,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// `[browser]`
#[derive(Clone, Deserialize)]
pub struct BrowserConfig {
    pub mode: Browser,
    pub headless: bool,
    pub binary: PathBuf,
    pub chromedriver: PathBuf,
    pub webdriver_url: String,
    pub selectors_file: PathBuf,
    #[serde(rename = "pacing", with = "duration")]
    pub pacing_ms: i64,
}

/// `[practice]`
#[derive(Clone, Deserialize)]
pub struct Practice {
    pub url: String,
    pub listen: SocketAddr,
    #[serde(rename = "buyers_interval", with = "duration")]
    pub buyers_interval_ms: i64,
}

/// `[sync]`
#[derive(Clone, Deserialize)]
pub struct Sync {
    #[serde(rename = "interval", with = "duration")]
    pub interval_ms: i64,
}

/// `[log]`
#[derive(Clone, Deserialize)]
pub struct Log {
    pub filter: String,
    pub format: LogFormat,
}

/// `[metrics]`
#[derive(Clone, Deserialize)]
pub struct Metrics {
    pub listen: String,
}

/// `[otlp]`
#[derive(Clone, Deserialize)]
pub struct Otlp {
    pub endpoint: String,
}

/// `[webhook]`
#[derive(Clone, Deserialize)]
pub struct Webhook {
    pub allowed_networks: String,
}

/// `[limits]`
#[derive(Clone, Deserialize)]
pub struct Limits {
    pub max_message_bytes: usize,
    pub max_upload_bytes: usize,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub max_calls_per_workspace: usize,
}

impl Config {
    /// Reads the settings in force.
    ///
    /// # Errors
    /// A file or a setting that does not exist, a value of the wrong type, and settings that contradict each other. The
    /// message names the setting.
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
                bail!("{}: there is no setting {path}", file.display());
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
        config.webhook_networks()?;
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
        let networks = self.webhook.allowed_networks.split(',').map(str::trim);
        networks
            .filter(|text| !text.is_empty())
            .map(|text| {
                let network = text.parse::<IpNet>();
                network.with_context(|| {
                    format!("webhook.allowed_networks: {text:?} is not a network such as 192.168.1.0/24")
                })
            })
            .collect()
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

/// Converts a number of minutes to a duration text.
fn minutes(text: &str) -> Result<String> {
    let count: u32 = text
        .parse()
        .with_context(|| format!("{} = {text:?} is not a number of minutes", SYNC_INTERVAL.1))?;
    Ok(format!("{count}m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_file(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("own.toml");
        std::fs::write(&file, text).expect("written");
        Config::read(&file, |_| None)
    }

    fn read_environment(variables: &[(&str, &str)]) -> Result<Config> {
        Config::read(Path::new("/nonexistent"), |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn variable_keeps_the_type_of_its_setting() {
        let config = read_environment(&[
            ("ENCRYPTION_KEY", "12345678"),
            ("AWS_SECRET_ACCESS_KEY", "007"),
            ("CONCURRENCY", "3"),
            ("MEDIA_PATH_STYLE", "false"),
            ("BROWSER", "off"),
            ("MAX_CONNECTIONS", "9"),
            ("SYNC_INTERVAL_MIN", "7"),
            ("JOBS_LEASE", "2m"),
            ("PUBLISH_PER_MINUTE", "6"),
        ])
        .expect("valid");
        assert_eq!(config.encryption_key, "12345678");
        assert_eq!(config.aws.secret_access_key, "007");
        assert_eq!(config.concurrency, 3);
        assert!(!config.media.path_style);
        assert_eq!(config.browser.mode, Browser::Off);
        assert_eq!(config.limits.max_connections, 9);
        assert_eq!(config.sync.interval_ms, 420_000);
        assert_eq!(config.settings().jobs.lease_ms, 120_000);
        assert_eq!(config.settings().publish.per_minute, 6);
    }

    #[test]
    fn value_of_another_type_is_refused_by_name() {
        for (name, text, path) in [
            ("JOBS_LEASE", "60000", "jobs.lease"),
            ("RETENTION_EVENTS", "a month", "retention.events"),
            ("SYNC_INTERVAL_MIN", "5m", "SYNC_INTERVAL_MIN"),
            ("CONCURRENCY", "two", "concurrency"),
        ] {
            let error = read_environment(&[(name, text)]).err().expect("refused");
            let error = format!("{error:#}");
            assert!(error.contains(path), "{error}");
        }
    }

    #[test]
    fn default_file_is_a_complete_configuration() {
        let config = read_environment(&[]).expect("the default is valid");
        assert_eq!(config.listen.port(), 50051);
        assert!(config.data_dir.is_absolute());
        assert_eq!(config.settings().publish.per_minute, 5);
    }

    #[test]
    fn no_two_settings_share_a_variable() {
        let known = paths(&Figment::from(Toml::string(DEFAULT))).expect("settings");
        let names: std::collections::BTreeSet<_> = known.keys().map(|path| variable(path)).collect();
        assert_eq!(names.len(), known.len());
        for (path, _) in VARIABLES.iter().chain([&SYNC_INTERVAL]) {
            assert!(known.contains_key(*path), "{path}");
        }
    }

    /// Compares `docs/settings.md` with the default file. With `UPDATE=1`, the test writes the page.
    #[test]
    fn documentation_lists_every_setting() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = root.join("docs/settings.md");
        let page = std::fs::read_to_string(&file).expect("the page");
        let (before, rest) = page.split_once("<!-- settings -->\n").expect("a start");
        let (_, after) = rest.split_once("<!-- /settings -->").expect("an end");
        let expected = format!("{before}<!-- settings -->\n{}<!-- /settings -->{after}", table());
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            std::fs::write(&file, &expected).expect("written");
            return;
        }
        assert!(page == expected, "run this test once with UPDATE=1");
    }

    #[test]
    fn example_environment_names_known_variables() {
        let known = paths(&Figment::from(Toml::string(DEFAULT))).expect("settings");
        let names: Vec<_> = known.keys().map(|path| variable(path)).collect();
        let example = include_str!("../.env.example");
        for line in example.lines().map(|line| line.trim_start_matches("# ")) {
            if let Some((name, _)) = line.split_once('=') {
                assert!(names.iter().any(|known| known == name), "{name}");
            }
        }
    }

    /// Returns the default file as Markdown tables, one for each TOML table.
    fn table() -> String {
        const HEAD: &str = "| setting | variable | default | description |\n| --- | --- | --- | --- |\n";
        let (mut table, mut section, mut comment) = (HEAD.to_owned(), String::new(), Vec::new());
        for line in DEFAULT.lines() {
            if let Some(words) = line.strip_prefix('#') {
                // Lists are indented.
                let bullet = if words.starts_with("   ") { "· " } else { "" };
                let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
                comment.push(format!("{bullet}{}", words.replace('|', "\\|")));
            } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                let words = std::mem::take(&mut comment).join(" ");
                let words = if words.is_empty() {
                    words
                } else {
                    format!("{words}\n\n")
                };
                table += &format!("\n## `[{name}]`\n\n{words}{HEAD}");
                section = format!("{name}.");
            } else if let Some((name, value)) = line.split_once(" = ") {
                let value = match value.trim_matches('"') {
                    "" => String::new(),
                    value => format!("`{value}`"),
                };
                let name = format!("{section}{name}");
                let words = std::mem::take(&mut comment).join(" ");
                let variable = variable(&name);
                table += &format!("| `{name}` | `{variable}` | {value} | {words} |\n");
            } else {
                comment.clear();
            }
        }
        table
    }

    #[test]
    fn unknown_setting_is_refused_by_name() {
        for (text, path) in [
            ("[publish]\nper_hour = 3\n", "publish.per_hour"),
            ("publish_per_minute = 3\n", "publish_per_minute"),
        ] {
            let error = read_file(text).err().expect("refused").to_string();
            assert!(error.contains(path), "{error}");
        }
    }

    #[test]
    fn malformed_network_is_refused_at_start() {
        for (networks, count) in [
            ("10.0.0.0/8, fd00::/8", Some(2)),
            ("10.0.0.1", None),
            ("home", None),
        ] {
            let text = format!("[webhook]\nallowed_networks = {networks:?}\n");
            let read = read_file(&text).and_then(|config| config.webhook_networks());
            assert_eq!(read.ok().map(|networks| networks.len()), count, "{networks}");
        }
    }

    #[test]
    fn malformed_public_url_is_refused_at_start() {
        for (address, is_good) in [
            ("", true),
            ("https://vintedbot.example/base", true),
            ("http://127.0.0.1:50051", true),
            ("vintedbot.example", false),
            ("localhost:50051", false),
            ("ftp://vintedbot.example", false),
        ] {
            let text = format!("public_url = {address:?}\n");
            assert_eq!(read_file(&text).is_ok(), is_good, "{address}");
        }
    }

    #[test]
    fn contradictory_settings_are_refused_by_name() {
        let error = read_file("[jobs]\nlease = \"10s\"\n").err().expect("refused");
        let error = error.to_string();
        assert!(
            error.contains("jobs.lease") && error.contains("jobs.heartbeat"),
            "{error}"
        );
    }
}
