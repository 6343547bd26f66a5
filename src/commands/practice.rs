//! `vintedbot practice`: the practice site alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use vintedbot_practice::{Config, Practice};

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
}

/// Runs the practice site until it is interrupted.
pub async fn run(arguments: Arguments) -> Result<()> {
    let config = Config {
        records: arguments.records,
        state: arguments.state,
        ..Config::default()
    };
    let site = Practice::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)), config).await?;
    println!("practice site: http://{}", site.local_addr());
    super::serve::interrupted().await?;
    site.stop().await?;
    Ok(())
}
