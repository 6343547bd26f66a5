//! What every handler is given.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vintedbot_domain::Domain;

use crate::connections::Registry;
use crate::media::gate::Gate;
use crate::{Config, listings, media};

/// Shared by all handlers of one port.
#[derive(Clone)]
pub struct ServerState {
    pub domain: Domain,
    pub config: Arc<Config>,
    /// The open connections of the port.
    pub connections: Registry,
    pub gate: Arc<Gate>,
    /// Cancelled when the server is to end.
    pub shutdown: CancellationToken,
}

impl ServerState {
    /// The largest message that a method takes.
    pub fn message_limit(&self, method: &str) -> usize {
        if [media::WITH_PHOTO, listings::WITH_PHOTOS].contains(&method) {
            self.config.max_upload_bytes
        } else {
            self.config.max_message_bytes
        }
    }
}
