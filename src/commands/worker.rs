//! `vintedbot worker`: what happens in the background, beside any number of others and of servers.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use tokio_util::sync::CancellationToken;
use vintedbot_marketplace::{DriverKind, Marketplace};

use crate::config::Config;
use crate::instance;
use crate::parts::worker::Share;
use crate::parts::{lifetime, several, site, worker};
use crate::{logging, metrics};

/// Which work it takes.
#[derive(Args)]
pub struct Arguments {
    /// Kinds of jobs, separated by commas, such as publish,send_reply. All of them if not given.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Jobs at work at the same time. CONCURRENCY if not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    /// What it is called. No other worker that lives may have the name.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
}

/// Runs until interrupted, then drains.
pub async fn run(arguments: Arguments) -> Result<()> {
    let config = Config::load()?;
    let _traces = logging::start(&config)?;
    several::require(&config)?;
    let share = Share {
        kinds: worker::kinds(&arguments.kinds)?,
        concurrency: arguments.concurrency.map_or(config.concurrency, usize::from),
        name: arguments.name,
    };
    let instance = instance::join(&config, config.settings(), false).await?;
    several::require_practice(&config, &instance.domain).await?;
    let relay = several::relay(&config, &instance).await?;
    let connector = Arc::new(site::connect(&config, &config.practice_url, &instance.domain)?);
    let domain = &site::with_window(&instance.domain, connector.driver());
    let drain = CancellationToken::new();
    metrics::start(&config, domain, &drain).await?;
    let kinds: Vec<_> = share.kinds.iter().map(|kind| kind.name()).collect();
    println!(
        "vintedbot {} worker, {} at a time: {}",
        env!("CARGO_PKG_VERSION"),
        share.concurrency,
        kinds.join(", ")
    );
    match connector.driver() {
        DriverKind::Browser { headless } => println!("browser worker: ready (headless={headless})"),
        DriverKind::Browserless => println!("browser worker: off, browserless driver"),
    }
    let worker = worker::start(&config, domain, &connector, share, relay, &drain)?;
    // What the site renewed is stored before the process ends.
    lifetime::run(vec![("worker", worker)], drain, connector.drained()).await
}
