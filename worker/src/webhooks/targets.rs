//! Checks whether a webhook may be sent to an address, when an endpoint is created or changed.

use std::sync::Arc;

use async_trait::async_trait;
use vintedbot_connector::EgressClient;
use vintedbot_domain::webhooks::Targets;

/// Allows the addresses that [`EgressClient`] reaches.
#[derive(Clone, Debug)]
pub struct EgressTargets(pub Arc<EgressClient>);

#[async_trait]
impl Targets for EgressTargets {
    async fn check(&self, url: &str) -> Result<(), String> {
        self.0.check(url).await
    }
}
