//! `vintedbot practice`: the practice site alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use vintedbot_practice::{Buyers, Config, Practice};

/// Where the practice site listens, and what it writes down.
#[derive(Args)]
pub struct Arguments {
    /// The port on this machine; 0 takes a free one.
    #[arg(long, default_value_t = 50052)]
    port: u16,
    /// A file to which one JSON line is appended for every thing that the site accepts.
    #[arg(long)]
    records: Option<PathBuf>,
    /// A file in which members, items and photos survive a restart.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Seconds from one thing that a buyer does to the next; without it, buyers do nothing by themselves.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    buyers: Option<u64>,
    /// Where the buyers' chances begin: with the same seed they do the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the practice site until it is interrupted.
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
