//! Everything that happens.

use vintedbot_proto::v1::WatchRequest;

use crate::Watch;
use crate::call::Calls;

/// `EventService`; see [`Client::events`](crate::Client::events).
#[derive(Clone)]
pub struct Events {
    pub(crate) calls: Calls,
}

impl Events {
    /// Watches what happens, from `request.cursor` on or from now, across cut lines and restarted servers.
    pub fn watch(&self, request: WatchRequest) -> Watch {
        Watch::begin(self.calls.clone(), request)
    }
}
