//! `vintedbot serve`: server, worker and, where needed, the practice site in one process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use url::Url;
use vintedbot_connector::{BrowserConfig, Connector, Outside, Pacing};
use vintedbot_domain::Domain;
use vintedbot_domain::accounts::{Mode, StoredSessions};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::settings::Settings;
use vintedbot_marketplace::challenge::Detector;
use vintedbot_marketplace::selectors::Selectors;
use vintedbot_marketplace::{DriverKind, Marketplace};
use vintedbot_practice::{Buyers, Practice, Running};
use vintedbot_worker::{OutsideTargets, Worker};

use crate::config::{Browser, Config};
use crate::instance::{self, Instance};
use crate::{logging, metrics};

/// How the instance is started.
#[derive(Args)]
pub struct Arguments {
    /// Fills the instance with believable data at its first start.
    #[arg(long)]
    seed: bool,
}

/// How long the process may take to end once it was asked to.
const DRAIN: Duration = Duration::from_secs(9);

/// Runs until interrupted, then drains.
pub async fn run(arguments: Arguments) -> Result<()> {
    let config = Config::load()?;
    let _traces = logging::start(&config)?;
    let Instance {
        domain,
        started,
        token_file,
        key_file,
        ..
    } = &instance::open(&config, config.settings()).await?;
    let practice = start_practice(&config).await?;
    let practice_url = practice_url(&config, practice.as_ref());
    let connector = Arc::new(connect(&config, &practice_url, domain)?);
    let domain = &with_window(domain, connector.driver());
    if arguments.seed && started.first_start && config.settings().session_mode == Mode::Mock {
        super::seed::fill(&config, domain, &started.owner_id, &practice_url)
            .await
            .context("the instance could not be seeded")?;
    }
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("listen = {}", config.listen))?;
    let address = listener.local_addr()?;

    let drain = CancellationToken::new();
    metrics::start(&config, domain, &drain).await?;
    let worker_config = vintedbot_worker::Config {
        concurrency: config.concurrency,
        work_dir: config.data_dir.join("attempts"),
        host: config.host(),
        sync_interval_ms: config.sync_interval_min * 60_000,
    };
    let outside = Arc::new(Outside::new(config.webhook_networks()?));
    let worker = Worker::new(domain.clone(), connector.clone(), worker_config, drain.clone())
        .with_webhooks(Arc::clone(&outside));
    let mut worker = tokio::spawn(worker.run());
    let server_config = vintedbot_server::Config {
        webhook_targets: Some(Arc::new(OutsideTargets(outside))),
        ..server_config(&config)
    };
    let mut server = tokio::spawn(vintedbot_server::serve(
        listener,
        domain.clone(),
        server_config,
        drain.clone(),
    ));

    println!(
        "vintedbot {} listens on http://{address}",
        env!("CARGO_PKG_VERSION")
    );
    println!("new accounts: {:?}", config.settings().session_mode);
    println!("practice site: {practice_url}");
    match connector.driver() {
        DriverKind::Browser { headless } => println!("browser worker: ready (headless={headless})"),
        DriverKind::Browserless => println!("browser worker: off, browserless driver"),
    }
    println!("inbox sync: every {} minutes", config.sync_interval_min);
    if let Some(file) = key_file {
        println!("key file: {}", file.display());
    }
    if !token_file.exists() {
        println!("the token file is gone; stop this and run: vintedbot token");
    }
    println!("try: {}", grpcurl_line(token_file, &address.to_string()));

    let ended = tokio::select! {
        result = interrupted() => result.map(|()| "interrupted"),
        result = &mut worker => result?.map(|()| "the worker ended").map_err(Into::into),
        result = &mut server => result?.map(|()| "the server ended").map_err(Into::into),
    };
    drain.cancel();
    println!("draining");
    let both = async {
        if !worker.is_finished() {
            (&mut worker).await??;
        }
        if !server.is_finished() {
            (&mut server).await??;
        }
        // What the site renewed is stored before the process ends.
        connector.drained().await;
        Ok::<(), anyhow::Error>(())
    };
    if tokio::time::timeout(DRAIN, both).await.is_err() {
        tracing::warn!("some work did not end in time; it is taken up at the next start");
    }
    if let Some(practice) = practice {
        practice.stop().await?;
    }
    println!("ended: {}", ended?);
    Ok(())
}

/// The same domain, told whether there is a window that a person can see.
fn with_window(domain: &Domain, driver: DriverKind) -> Domain {
    let settings = Settings {
        browser_window: driver == DriverKind::Browser { headless: false },
        ..(*domain.settings).clone()
    };
    Domain {
        settings: Arc::new(settings),
        ..domain.clone()
    }
}

/// Resolves at Ctrl-C or SIGTERM.
pub async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The practice site inside this process, unless one elsewhere is named.
pub async fn start_practice(config: &Config) -> Result<Option<Running>> {
    if !config.practice_url.is_empty() {
        return Ok(None);
    }
    let folder = config.data_dir.join("practice");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let site = vintedbot_practice::Config {
        records: Some(folder.join("records.jsonl")),
        state: Some(folder.join("state.json")),
        buyers: buyers(config),
        ..vintedbot_practice::Config::default()
    };
    let site = Practice::bind(config.practice_listen, site).await;
    Ok(Some(site.with_context(|| {
        format!("practice_listen = {}", config.practice_listen)
    })?))
}

/// The practice site's buyers, whom every start finds in another humour.
fn buyers(config: &Config) -> Option<Buyers> {
    (config.practice_buyers_s > 0).then(|| Buyers {
        pace: Duration::from_secs(config.practice_buyers_s),
        seed: u64::from_le_bytes(SystemIds.secret()[..8].try_into().unwrap_or_default()),
    })
}

/// Where the practice site is.
pub fn practice_url(config: &Config, running: Option<&Running>) -> String {
    running.map_or_else(
        || config.practice_url.clone(),
        |site| format!("http://{}", site.local_addr()),
    )
}

/// The connector that the settings describe.
pub fn connect(config: &Config, practice_url: &str, domain: &Domain) -> Result<Connector> {
    let settings = &domain.settings;
    let clock = Arc::clone(&domain.clock);
    let attempt_ms = settings.attempt_timeout_ms + settings.click_window_ms + settings.request_timeout_ms;
    let pause = Duration::from_millis(config.pacing_ms);
    let ids = SystemIds;
    Ok(Connector::new(vintedbot_connector::Config {
        practice_url: Some(practice_url.parse().context("practice_url")?),
        browser: find_browser(config)?,
        selectors: Arc::new(selectors(config)?),
        detector: Arc::new(Detector::embedded().clone()),
        pacing: Pacing {
            mean: pause,
            jitter: pause / 2,
        },
        random: Arc::new(move || u64::from_le_bytes(ids.secret()[..8].try_into().unwrap_or_default())),
        request_timeout: Duration::from_millis(u64::try_from(settings.request_timeout_ms)?),
        sessions: Some(Arc::new(StoredSessions::new(domain.clone()))),
        proxy: proxy(config)?,
        clock: Arc::new(move || clock.now()),
        attempt_time: Duration::from_millis(u64::try_from(attempt_ms)?),
    })?)
}

/// The selectors that come with the program, or the operator's over them.
pub fn selectors(config: &Config) -> Result<Selectors> {
    let Some(file) = set(&config.selectors_file) else {
        return Ok(Selectors::embedded().clone());
    };
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Selectors::parse(&text).with_context(|| file.display().to_string())
}

/// The proxy for real sites. What is wrong with it is said without its address, which may have a password in it.
fn proxy(config: &Config) -> Result<Option<Url>> {
    let text = config.proxy_url.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(text.parse().context("proxy_url is not an address")?))
}

fn find_browser(config: &Config) -> Result<Option<BrowserConfig>> {
    if config.browser == Browser::Off {
        return Ok(None);
    }
    let (binary, driver) = (set(&config.browser_binary), set(&config.chromedriver));
    if !config.webdriver_url.is_empty() {
        return Ok(Some(BrowserConfig::remote(
            &config.webdriver_url,
            binary,
            config.browser_headless,
        )?));
    }
    let found = BrowserConfig::find(binary, driver, config.browser_headless)?;
    if found.is_none() && config.browser == Browser::Required {
        bail!(
            "browser = required, and no Chromium with its driver was found; set BROWSER_BINARY and CHROMEDRIVER"
        );
    }
    Ok(found)
}

pub fn set(path: &Path) -> Option<&Path> {
    (!path.as_os_str().is_empty()).then_some(path)
}

fn server_config(config: &Config) -> vintedbot_server::Config {
    let origins = config
        .allowed_origins
        .split(',')
        .map(str::trim)
        .filter(|origin| !origin.is_empty());
    vintedbot_server::Config {
        allowed_origins: origins.map(str::to_owned).collect(),
        public_url: (!config.public_url.is_empty()).then(|| config.public_url.clone()),
        max_message_bytes: config.max_message_bytes,
        max_upload_bytes: config.max_upload_bytes,
        ..vintedbot_server::Config::default()
    }
}

fn grpcurl_line(token_file: &Path, address: &str) -> String {
    format!(
        "grpcurl -plaintext -H \"authorization: Bearer $(cat {})\" {address} vintedbot.v1.AuthService/WhoAmI",
        token_file.display()
    )
}
