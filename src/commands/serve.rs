//! `vintedbot serve`: server, worker and, where needed, the practice site in one process.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio_util::sync::CancellationToken;
use vintedbot_domain::accounts::Mode;
use vintedbot_marketplace::{DriverKind, Marketplace};

use super::seed;
use crate::config::Config;
use crate::instance;
use crate::parts::worker::Share;
use crate::parts::{lifetime, server, several, site, worker};
use crate::{logging, metrics};

/// How the instance is started.
#[derive(Args)]
pub struct Arguments {
    /// Fills the instance with believable data at its first start.
    #[arg(long)]
    seed: bool,
}

/// Runs until interrupted, then drains.
pub async fn run(arguments: Arguments) -> Result<()> {
    let config = Config::load()?;
    let _traces = logging::start(&config)?;
    let instance = instance::open(&config, config.settings()).await?;
    let fills = arguments.seed && config.settings().session_mode == Mode::Mock;
    if fills && instance.started.first_start {
        seed::begin(&config)?;
    }
    let relay = several::relay(&config, &instance).await?;
    let practice = site::start_practice(&config).await?;
    let practice_url = site::practice_url(&config, practice.as_ref());
    let connector = Arc::new(site::connect(&config, &practice_url, &instance.domain)?);
    let domain = &site::with_window(&instance.domain, connector.driver());
    // A first start that ended before this goes on here; one that was cut off in it is left as it is.
    if fills && seed::is_begun(&config) {
        seed::fill(&config, domain, &instance.started.owner_id, &practice_url)
            .await
            .context("the instance could not be seeded")?;
    }
    let drain = CancellationToken::new();
    metrics::start(&config, domain, &drain).await?;
    let (address, server) = server::start(&config, domain, &drain).await?;
    let share = Share::whole(&config);
    let worker = worker::start(&config, domain, &connector, share, relay, &drain)?;

    println!(
        "vintedbot {} listens on http://{address}",
        env!("CARGO_PKG_VERSION")
    );
    println!("new accounts: {:?}", config.settings().session_mode);
    if let Some(half) = seed::told_if_half(&config) {
        println!("{half}");
    }
    println!("practice site: {practice_url}");
    match connector.driver() {
        DriverKind::Browser { headless } => println!("browser worker: ready (headless={headless})"),
        DriverKind::Browserless => println!("browser worker: off, browserless driver"),
    }
    println!("inbox sync: every {} minutes", config.sync_interval_min);
    if let Some(file) = &instance.key_file {
        println!("key file: {}", file.display());
    }
    if !instance.token_file.exists() {
        println!("the token file is gone; stop this and run: vintedbot token");
    }
    println!(
        "try: {}",
        server::grpcurl_line(&instance.token_file, &address.to_string())
    );

    // What the site renewed is stored before the process ends.
    let ended = lifetime::run(
        vec![("worker", worker), ("server", server)],
        drain,
        connector.drained(),
    )
    .await;
    if let Some(practice) = practice {
        practice.stop().await?;
    }
    ended
}
