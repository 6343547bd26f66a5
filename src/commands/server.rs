//! `vintedbot server`: what clients call, beside any number of others and of workers.

use anyhow::Result;
use tokio_util::sync::CancellationToken;
use vintedbot_marketplace::DriverKind;

use crate::config::{Browser, Config};
use crate::instance;
use crate::parts::{lifetime, server, several, site};
use crate::{logging, metrics};

/// Runs until interrupted, then drains.
pub async fn run() -> Result<()> {
    let config = Config::load()?;
    let _traces = logging::start(&config)?;
    several::require(&config)?;
    let instance = instance::join(&config, config.settings(), true).await?;
    several::require_practice(&config, &instance.domain).await?;
    let relay = several::relay(&config, &instance).await?;
    // The browsers are the workers'; what they are is the same setting for all.
    let driver = match config.browser {
        Browser::Off => DriverKind::Browserless,
        Browser::Auto | Browser::Required => DriverKind::Browser {
            headless: config.browser_headless,
        },
    };
    let domain = &site::with_window(&instance.domain, driver);
    several::pass_rings_on(domain, relay);
    let drain = CancellationToken::new();
    metrics::start(&config, domain, &drain).await?;
    let (address, server) = server::start(&config, domain, &drain).await?;
    println!(
        "vintedbot {} server listens on http://{address}",
        env!("CARGO_PKG_VERSION")
    );
    if instance.token_file.exists() {
        println!(
            "try: {}",
            server::grpcurl_line(&instance.token_file, &address.to_string())
        );
    }
    lifetime::run(vec![("server", server)], drain, async {}).await
}
