//! Webhooks: sends the events of the log to the endpoints of a workspace, at least once.
//!
//! - [`fan_out()`] reads the log after the position of an endpoint, writes a delivery for each event that the endpoint
//!   subscribes to, and advances the position in the same transaction. No event is skipped. The `webhook-id` is derived
//!   from log epoch, endpoint and sequence, so it is the same at each attempt.
//! - [`claim()`] claims due deliveries under a lease. The holder sends the delivery and calls [`record`] with the
//!   outcome. If the holder dies, the delivery is due again when the lease expires.
//! - `schedule` determines the retries of failed deliveries. [`replay()`] sends ended deliveries again.
//! - [`body`] renders an event. A new event kind needs no change here: its type is its name in lower case.

mod address;
mod claim;
mod delivery;
mod endpoint;
mod fan_out;
mod manage;
mod outcome;
mod payload;
mod replay;
mod rotate;
mod schedule;
mod secret;
mod switch;
mod token;

use async_trait::async_trait;

pub use claim::{Claim, Due, claim, due, release};
pub use delivery::{Attempt, Delivery, DeliveryState, Detail, Filter, get_delivery, list_deliveries, retain};
pub use endpoint::{DisableReason, Endpoint, EndpointState};
pub use fan_out::{behind, fan_out};
pub use manage::{
    CreatedEndpoint, EndpointInput, NewEndpoint, UpdateEndpoint, create, delete, get, list, update,
};
pub use outcome::{Answer, Sent, record};
pub use payload::{TEST, body, type_of, types};
pub use replay::{ReplayWindow, replay, replay_window, send_test};
pub use rotate::{Rotate, rotate_secret};
pub use schedule::{DISABLED_AFTER, RETRIES, retry_after};
pub use secret::Secret;
pub use switch::{disable, enable};
pub(crate) use token::{disable_all_of, transfer_to_successor};

/// The check whether events may be sent to a URL. The crate that can resolve host names implements it.
#[async_trait]
pub trait Targets: Send + Sync + std::fmt::Debug + 'static {
    /// Checks a URL.
    ///
    /// # Errors
    /// Why no events are sent to it, as text for the caller who set it.
    async fn check(&self, url: &str) -> std::result::Result<(), String>;
}
