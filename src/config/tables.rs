//! The tables of `config.default.toml`, which describes their settings.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use vintedbot_domain::settings::duration;

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

/// `[smtp]`
#[derive(Clone, Deserialize)]
pub struct Smtp {
    pub url: String,
    pub from: String,
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
