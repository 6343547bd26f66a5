//! `vintedbot worker`: runs only a worker. Other workers and servers of the same instance run in other processes.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use tokio_util::sync::CancellationToken;
use vintedbot_marketplace::{DriverKind, Marketplace};

use crate::config::Config;
use crate::instance;
use crate::parts::worker::Share;
use crate::parts::{cluster, lifetime, site, worker};
use crate::{logging, metrics};

/// The worker's share of the work.
#[derive(Args)]
pub struct Arguments {
    /// Job kinds, separated by commas, such as publish,send_reply. Default: all.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Jobs that run at the same time. Default: CONCURRENCY.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    /// The worker's name, which must be unique among live workers.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
}

/// Runs until interrupted, then drains.
pub async fn run(arguments: Arguments) -> Result<()> {
    let config = Config::load()?;
    let _traces = logging::start(&config)?;
    cluster::require(&config)?;
    let share = Share {
        kinds: worker::kinds(&arguments.kinds)?,
        concurrency: arguments.concurrency.map_or(config.concurrency, usize::from),
        name: arguments.name,
    };
    let instance = instance::join(&config, config.settings(), false).await?;
    cluster::require_practice(&config, &instance.context).await?;
    let relay = cluster::relay(&config, &instance).await?;
    let connector = Arc::new(site::connect(&config, &config.practice.url, &instance.context)?);
    let context = &site::with_window(&instance.context, connector.driver());
    let drain = CancellationToken::new();
    metrics::start(&config, context, &drain).await?;
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
    let worker = worker::start(&config, context, &connector, share, relay, &drain)?;
    // Waits until refreshed sessions are stored, before the process ends.
    lifetime::run(vec![("worker", worker)], drain, connector.drained()).await
}
