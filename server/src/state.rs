//! What every handler is given.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vintedbot_domain::Domain;

use crate::Config;
use crate::connections::Registry;

/// Shared by all handlers of one port.
#[derive(Clone)]
pub struct ServerState {
    pub domain: Domain,
    pub config: Arc<Config>,
    /// The open connections of the port.
    pub connections: Registry,
    /// Cancelled when the server is to end.
    pub shutdown: CancellationToken,
}

impl ServerState {
    /// The largest message that a method takes. The limit is a service's, and two of them take photos.
    pub fn message_limit(&self, method: &str) -> usize {
        match method.split('/').nth(1) {
            Some("vintedbot.v1.MediaService" | "vintedbot.v1.ListingService") => self.config.max_upload_bytes,
            _ => self.config.max_message_bytes,
        }
    }
}
