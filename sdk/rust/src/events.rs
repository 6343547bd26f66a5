//! The event log.

use vintedbot_proto::v1::WatchRequest;

use crate::Watch;
use crate::call::Calls;

/// `EventService`; see [`Client::events`](crate::Client::events).
#[derive(Clone)]
pub struct Events {
    pub(crate) calls: Calls,
}

impl Events {
    /// Watches the event log from `request.cursor`, or from now on if it is empty. Reconnects after lost connections
    /// and server restarts.
    pub fn watch(&self, request: WatchRequest) -> Watch {
        Watch::begin(self.calls.clone(), request)
    }
}
