//! `vintedbot practice`: runs only the practice site.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use vintedbot_practice::{Buyers, Config, Practice};

/// The listener and the files of the practice site.
#[derive(Args)]
pub struct Arguments {
    /// The port on this machine; 0 takes a free one.
    #[arg(long, default_value_t = 50052)]
    port: u16,
    /// A file to which the site appends one JSON line for each accepted change.
    #[arg(long)]
    records: Option<PathBuf>,
    /// A file that keeps members, items and photos over a restart.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Seconds between two actions of the simulated buyers; without it, buyers do nothing on their own.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    buyers: Option<u64>,
    /// The random seed of the simulated buyers; the same seed gives the same actions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the practice site until interrupted.
pub async fn run(arguments: Arguments) -> Result<()> {
    let config = Config {
        records: arguments.records,
        state: arguments.state,
        buyers: arguments.buyers.map(|pace| Buyers {
            pace: Duration::from_secs(pace),
            seed: arguments.seed,
        }),
        ..Config::default()
    };
    let site = Practice::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)), config).await?;
    println!("practice site: http://{}", site.local_addr());
    crate::parts::lifetime::interrupted().await?;
    site.stop().await?;
    Ok(())
}
