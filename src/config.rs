//! Settings: the commented default file, then a file, then the environment; checked against each other at start.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use figment::providers::{Env, Format as _, Serialized, Toml};
use figment::value::Value;
use figment::{Figment, Provider as _};
use ipnet::IpNet;
use serde::Deserialize;
use url::Url;
use vintedbot_domain::keys::sha256_hex;
use vintedbot_domain::settings::Settings;

/// The default, as a newcomer reads it.
const DEFAULT: &str = include_str!("../config.default.toml");
/// A file of one's own that needs no mention.
const LOCAL_FILE: &str = "vintedbot.toml";

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

/// Everything that can be set. Each is explained in `config.default.toml`.
#[derive(Clone, Deserialize)]
pub struct Config {
    pub listen: SocketAddr,
    pub public_url: String,
    pub data_dir: PathBuf,
    pub database_url: String,
    pub redis_url: String,
    pub media_url: String,
    pub media_path_style: bool,
    pub aws_endpoint_url: String,
    pub aws_region: String,
    pub aws_access_key_id: String,
    pub aws_secret_access_key: String,
    pub allowed_origins: String,
    pub encryption_key: String,
    pub encryption_keys_old: String,
    pub proxy_url: String,
    pub browser: Browser,
    pub browser_headless: bool,
    pub browser_binary: PathBuf,
    pub chromedriver: PathBuf,
    pub webdriver_url: String,
    pub selectors_file: PathBuf,
    pub pacing_ms: u64,
    pub practice_url: String,
    pub practice_listen: SocketAddr,
    pub practice_buyers_s: u64,
    pub sync_interval_min: i64,
    pub webhook_allowed_networks: String,
    pub log: String,
    pub log_format: LogFormat,
    pub metrics_listen: String,
    pub otlp_endpoint: String,
    pub concurrency: usize,
    pub max_message_bytes: usize,
    pub max_upload_bytes: usize,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub max_calls_per_owner: usize,
    #[serde(skip)]
    pub settings: Option<Settings>,
}

impl Config {
    /// Reads the settings that are in force.
    pub fn load() -> Result<Self> {
        let file = std::env::var_os("VINTEDBOT_CONFIG").map(PathBuf::from);
        if let Some(file) = file.as_deref().filter(|file| !file.is_file()) {
            bail!("VINTEDBOT_CONFIG names {}, which is no file", file.display());
        }
        let file = file.unwrap_or_else(|| PathBuf::from(LOCAL_FILE));
        Self::read(&file)
    }

    fn read(file: &Path) -> Result<Self> {
        let defaults = Figment::from(Toml::string(DEFAULT));
        let names: Vec<String> = defaults
            .data()?
            .into_values()
            .flat_map(std::iter::IntoIterator::into_iter)
            .map(|(name, _)| name)
            .collect();
        let own = Figment::from(Toml::file(file));
        for name in own
            .data()?
            .into_values()
            .flat_map(std::iter::IntoIterator::into_iter)
            .map(|(name, _)| name)
        {
            if !names.contains(&name) {
                bail!("{}: there is no setting {name}", file.display());
            }
        }
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let environment = Env::raw().only(&known);
        let environment = environment
            .iter()
            .map(|(name, text)| (name.as_str().to_ascii_lowercase(), text));
        let environment = Serialized::defaults(typed(&defaults, environment));
        let figment = defaults.merge(own).merge(environment);
        let mut config: Self = figment.extract().context("settings")?;
        let settings: Settings = figment.extract().context("settings")?;
        settings.check()?;
        if config.sync_interval_min < 1 {
            bail!("sync_interval_min must be at least 1");
        }
        if config.concurrency < 1 {
            bail!("concurrency must be at least 1");
        }
        let limits = [
            ("max_connections", config.max_connections),
            ("max_connections_per_address", config.max_connections_per_address),
            ("max_calls_per_owner", config.max_calls_per_owner),
        ];
        if let Some((name, _)) = limits.iter().find(|(_, value)| *value < 1) {
            bail!("{name} must be at least 1");
        }
        config.webhook_networks()?;
        config.check_public_url()?;
        // A browser is told where files are, and it does not know in which folder this was started.
        config.data_dir = std::path::absolute(&config.data_dir).context("data_dir")?;
        config.settings = Some(settings);
        Ok(config)
    }

    /// The rules' part of the settings.
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
                "public_url = {:?} is no address like https://vintedbot.example",
                self.public_url
            );
        }
        Ok(())
    }

    /// Networks inside that webhooks may be sent to.
    pub fn webhook_networks(&self) -> Result<Vec<IpNet>> {
        let networks = self.webhook_allowed_networks.split(',').map(str::trim);
        networks
            .filter(|text| !text.is_empty())
            .map(|text| {
                let network = text.parse::<IpNet>();
                network.with_context(|| {
                    format!("webhook_allowed_networks: {text:?} is no network like 192.168.1.0/24")
                })
            })
            .collect()
    }

    /// Whether several processes can share the database.
    pub fn is_shared(&self) -> bool {
        self.database_url().starts_with("postgres")
    }

    /// Whether the database lies in the data folder, so that the folder's lock is the database's too.
    pub fn locks_database(&self) -> bool {
        let file = vintedbot_domain::store::sqlite_file(&self.database_url());
        file.is_some_and(|file| file.parent() == Some(&*self.data_dir))
    }

    /// Where the database is.
    pub fn database_url(&self) -> String {
        if self.database_url.is_empty() {
            format!("sqlite://{}", self.data_dir.join("vintedbot.sqlite").display())
        } else {
            self.database_url.clone()
        }
    }

    /// A name for this machine, stable over restarts, so that process numbers in a shared database mean something. Each
    /// container is a machine of its own: it counts its processes by itself.
    pub fn host(&self) -> String {
        let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        // Containers of one machine number their processes each for itself.
        let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        sha256_hex(format!("{}/{}/{}", id.trim(), boot.trim(), space.display()))
            .chars()
            .take(16)
            .collect()
    }
}

/// Settings as the environment has them. What is a text in the defaults is taken as it is: a password may be all digits.
fn typed(defaults: &Figment, variables: impl Iterator<Item = (String, String)>) -> BTreeMap<String, Value> {
    let is_text = |name: &str| matches!(defaults.find_value(name), Ok(Value::String(..)));
    variables
        .map(|(name, text)| {
            let value = match is_text(&name) {
                true => Value::from(text),
                false => text.parse().unwrap_or_else(|never: Infallible| match never {}),
            };
            (name, value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_digits_is_a_password_and_a_number_is_a_number() {
        let defaults = Figment::from(Toml::string(DEFAULT));
        let variables = [
            ("encryption_key", "12345678"),
            ("aws_secret_access_key", "007"),
            ("listen", "50051"),
            ("concurrency", "3"),
            ("media_path_style", "false"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let typed = typed(&defaults, variables.into_iter());
        for (name, text) in [
            ("encryption_key", "12345678"),
            ("aws_secret_access_key", "007"),
            ("listen", "50051"),
        ] {
            assert_eq!(typed[name].as_str(), Some(text), "{name}");
        }
        let figment = defaults.merge(Serialized::defaults(typed));
        assert_eq!(
            figment.extract_inner::<usize>("concurrency").expect("a number"),
            3
        );
        assert!(!figment.extract_inner::<bool>("media_path_style").expect("a flag"));
    }

    #[test]
    fn the_default_file_is_a_whole_configuration() {
        let config = Config::read(Path::new("/nonexistent")).expect("the default is valid");
        assert_eq!(config.listen.port(), 50051);
        assert!(
            config.data_dir.is_absolute(),
            "a browser is told where photos are"
        );
        assert_eq!(config.settings().publish_per_minute, 5);
    }

    #[test]
    fn a_setting_that_does_not_exist_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("own.toml");
        std::fs::write(&file, "publish_per_hour = 3\n").expect("written");
        let error = Config::read(&file).err().expect("refused").to_string();
        assert!(error.contains("publish_per_hour"), "{error}");
    }

    #[test]
    fn a_network_that_is_none_is_refused_at_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("own.toml");
        for (networks, count) in [
            ("10.0.0.0/8, fd00::/8", Some(2)),
            ("10.0.0.1", None),
            ("home", None),
        ] {
            std::fs::write(&file, format!("webhook_allowed_networks = {networks:?}\n")).expect("written");
            let read = Config::read(&file).and_then(|config| config.webhook_networks());
            assert_eq!(read.ok().map(|networks| networks.len()), count, "{networks}");
        }
    }

    #[test]
    fn a_public_address_that_is_none_is_refused_at_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("own.toml");
        for (address, is_good) in [
            ("", true),
            ("https://vintedbot.example/base", true),
            ("http://127.0.0.1:50051", true),
            ("vintedbot.example", false),
            ("localhost:50051", false),
            ("ftp://vintedbot.example", false),
        ] {
            std::fs::write(&file, format!("public_url = {address:?}\n")).expect("written");
            assert_eq!(Config::read(&file).is_ok(), is_good, "{address}");
        }
    }

    #[test]
    fn settings_that_contradict_each_other_say_which_to_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("own.toml");
        std::fs::write(&file, "lease_ms = 10000\n").expect("written");
        let error = Config::read(&file).err().expect("refused").to_string();
        assert!(
            error.contains("lease_ms") && error.contains("heartbeat_ms"),
            "{error}"
        );
    }
}
