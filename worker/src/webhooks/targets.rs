//! Whether something may be sent to an address, for whoever makes an endpoint.

use std::sync::Arc;

use async_trait::async_trait;
use vintedbot_connector::Outside;
use vintedbot_domain::webhooks::Targets;

/// The addresses that [`Outside`] reaches.
#[derive(Clone, Debug)]
pub struct OutsideTargets(pub Arc<Outside>);

#[async_trait]
impl Targets for OutsideTargets {
    async fn check(&self, url: &str) -> Result<(), String> {
        self.0.check(url).await
    }
}
