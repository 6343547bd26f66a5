//! The state that every handler receives.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vintedbot_domain::Context;

use crate::connections::Registry;
use crate::media::admission::Admission;
use crate::{Config, listings, media};

/// The state shared by all handlers of one port.
#[derive(Clone)]
pub struct ServerState {
    pub context: Context,
    pub config: Arc<Config>,
    /// The open connections of the port.
    pub connections: Registry,
    pub admission: Arc<Admission>,
    /// Cancelled at shutdown.
    pub shutdown: CancellationToken,
}

impl ServerState {
    /// Returns the maximum message size of a method, in bytes.
    pub fn message_limit(&self, method: &str) -> usize {
        if [media::WITH_PHOTO, listings::WITH_PHOTOS].contains(&method) {
            self.config.max_upload_bytes
        } else {
            self.config.max_message_bytes
        }
    }
}
