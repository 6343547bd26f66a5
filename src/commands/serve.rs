//! `vintedbot serve`: runs the server, the worker and, if needed, the practice site in one process.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio_util::sync::CancellationToken;
use vintedbot_domain::accounts::Mode;
use vintedbot_domain::identity::operator;
use vintedbot_marketplace::{DriverKind, Marketplace};

use super::seed;
use crate::config::Config;
use crate::instance;
use crate::parts::worker::Share;
use crate::parts::{cluster, lifetime, server, site, worker};
use crate::{logging, metrics};

/// The options of the start.
#[derive(Args)]
pub struct Arguments {
    /// In mock mode: fills the instance with example data at its first start, and creates a demo person if there are no
    /// people.
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
    let relay = cluster::relay(&config, &instance).await?;
    let practice = site::start_practice(&config).await?;
    let practice_url = site::practice_url(&config, practice.as_ref());
    let connector = Arc::new(site::connect(&config, &practice_url, &instance.context)?);
    let context = &site::with_window(&instance.context, connector.driver());
    // Continues a first start that ended before seeding. If seeding itself was interrupted, the data stays unchanged.
    if fills && seed::is_begun(&config) {
        seed::fill(&config, context, &instance.started.workspace_id, &practice_url)
            .await
            .context("the instance could not be seeded")?;
    }
    let demo = if fills {
        seed::demo_person(&config, context, &instance.started.workspace_id)
            .await
            .context("the demo person could not be created")?
    } else {
        None
    };
    let drain = CancellationToken::new();
    metrics::start(&config, context, &drain).await?;
    let (address, server) = server::start(&config, context, &drain).await?;
    let share = Share::whole(&config);
    let worker = worker::start(&config, context, &connector, share, relay, &drain)?;

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
    println!("inbox sync: every {} minutes", config.sync.interval_ms / 60_000);
    if let Some(file) = &instance.key_file {
        println!("key file: {}", file.display());
    }
    if let Some(file) = demo {
        println!(
            "sign in: {} with the password in {}",
            seed::DEMO_EMAIL,
            file.display()
        );
    } else if operator::list_users(context).await?.is_empty() {
        println!("no person can sign in yet; to add one, run: vintedbot user create --email you@example.com");
    }
    if !instance.token_file.exists() {
        println!("the token file is missing; stop this process and run: vintedbot token");
    }
    println!(
        "try: {}",
        server::grpcurl_line(&instance.token_file, &address.to_string())
    );

    // Waits until refreshed sessions are stored, before the process ends.
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
