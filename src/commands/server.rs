//! `vintedbot server`: runs only the server. Other servers and workers of the same instance run in other processes.

use anyhow::Result;
use tokio_util::sync::CancellationToken;
use vintedbot_marketplace::DriverKind;

use crate::config::{Browser, Config};
use crate::instance;
use crate::parts::{cluster, lifetime, server, site};
use crate::{logging, metrics};

/// Runs until interrupted, then drains.
pub async fn run() -> Result<()> {
    let config = Config::load()?;
    let _traces = logging::start(&config)?;
    cluster::require(&config)?;
    let instance = instance::join(&config, config.settings(), true).await?;
    cluster::require_practice(&config, &instance.context).await?;
    let relay = cluster::relay(&config, &instance).await?;
    // The browsers run in the workers; the setting is the same for all processes.
    let driver = match config.browser.mode {
        Browser::Off => DriverKind::Browserless,
        Browser::Auto | Browser::Required => DriverKind::Browser {
            headless: config.browser.headless,
        },
    };
    let context = &site::with_window(&instance.context, driver);
    cluster::forward_notifications(context, relay);
    let drain = CancellationToken::new();
    metrics::start(&config, context, &drain).await?;
    let (address, server) = server::start(&config, context, &drain).await?;
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
