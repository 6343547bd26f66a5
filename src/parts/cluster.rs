//! Cluster mode: requirements of processes that share one instance, and the relay between them.

use std::sync::Arc;

use anyhow::{Result, bail};
use vintedbot_domain::accounts::Mode;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::{Context, accounts};
use vintedbot_worker::Relay;

use crate::config::Config;
use crate::instance::Instance;

/// Checks the settings that a separate server or worker requires.
pub fn require(config: &Config) -> Result<()> {
    if !config.is_shared() {
        bail!(
            "a separate server or worker needs a database that several processes can share: set DATABASE_URL to \
             postgres://…; with SQLite, use `vintedbot serve`"
        );
    }
    if config.encryption_key.is_empty() {
        bail!(
            "processes that share an instance need the same key: set ENCRYPTION_KEY to the same value for all of them; \
             key files differ between data folders"
        );
    }
    if config.media.url.is_empty() {
        bail!(
            "processes that share an instance need a shared media store: set MEDIA_URL, such as \
             file:///srv/vintedbot/media for a folder that all of them reach"
        );
    }
    Ok(())
}

/// Checks that every process can reach a practice site, if an account is or will be in mock mode.
pub async fn require_practice(config: &Config, context: &Context) -> Result<()> {
    if !config.practice.url.is_empty() {
        return Ok(());
    }
    if config.settings().session_mode == Mode::Mock || accounts::any_mock(&context.store).await? {
        bail!(
            "an account is in mock mode, or new ones will be (SESSION_MODE): run `vintedbot practice` and set \
             PRACTICE_URL to its address, such as http://127.0.0.1:50052, for every process"
        );
    }
    Ok(())
}

/// Opens the relay to the other processes. `None` if Redis is not configured.
pub async fn relay(config: &Config, instance: &Instance) -> Result<Option<Arc<Relay>>> {
    if config.redis_url.is_empty() {
        return Ok(None);
    }
    let relay = Relay::open(&config.redis_url, &instance.started.instance_id, &SystemIds.id()).await?;
    tokio::spawn(Arc::clone(&relay).run(instance.context.clone()));
    Ok(Some(relay))
}

/// Forwards the notifications of a process without a worker. Without a relay, workers find the jobs by polling.
pub fn forward_notifications(context: &Context, relay: Option<Arc<Relay>>) {
    let notifications = context.notifier.listen();
    if let (Some(notifications), Some(relay)) = (notifications, relay) {
        tokio::spawn(relay.pass_on(notifications));
    }
}
