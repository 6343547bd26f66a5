//! What processes that share one instance have to share, and the way between them.

use std::sync::Arc;

use anyhow::{Result, bail};
use vintedbot_domain::accounts::Mode;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::{Domain, accounts};
use vintedbot_worker::Relay;

use crate::config::Config;
use crate::instance::Instance;

/// What is missing for a server or a worker of its own, known from the settings alone.
pub fn require(config: &Config) -> Result<()> {
    if !config.is_shared() {
        bail!(
            "a server or a worker of its own needs a database that several processes share: set DATABASE_URL to postgres://…; on \
             SQLite there is `vintedbot serve`"
        );
    }
    if config.encryption_key.is_empty() {
        bail!(
            "processes that share an instance need the same key: set ENCRYPTION_KEY, for all of them alike; a key file of this data \
             folder would be another one in each"
        );
    }
    if config.media_url.is_empty() {
        bail!(
            "processes that share an instance need photos that all of them see: set MEDIA_URL, such as file:///srv/vintedbot/media \
             for a folder that all of them reach"
        );
    }
    Ok(())
}

/// Accounts in mock mode need a site that every process reaches.
pub async fn require_practice(config: &Config, domain: &Domain) -> Result<()> {
    if !config.practice_url.is_empty() {
        return Ok(());
    }
    if config.settings().session_mode == Mode::Mock || accounts::any_mock(&domain.store).await? {
        bail!(
            "accounts are in mock mode, or will be as SESSION_MODE says: run `vintedbot practice` and set PRACTICE_URL to where it is, such as \
             http://127.0.0.1:50052, for every process alike"
        );
    }
    Ok(())
}

/// The way to the other processes, as far as there is one.
pub async fn relay(config: &Config, instance: &Instance) -> Result<Option<Arc<Relay>>> {
    if config.redis_url.is_empty() {
        return Ok(None);
    }
    let relay = Relay::open(&config.redis_url, &instance.started.instance_id, &SystemIds.id()).await?;
    tokio::spawn(Arc::clone(&relay).run(instance.domain.clone()));
    Ok(Some(relay))
}

/// Takes what rings in a process without a worker to where one is. Without a way there, workers look by themselves.
pub fn pass_rings_on(domain: &Domain, relay: Option<Arc<Relay>>) {
    let rings = domain.bell.listen();
    if let (Some(rings), Some(relay)) = (rings, relay) {
        tokio::spawn(relay.pass_on(rings));
    }
}
