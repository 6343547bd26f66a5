//! Webhooks: events from the log, sent to addresses of their owner's own, at least once.
//!
//! - [`fan_out()`] reads the log for one endpoint behind its position, writes a delivery for each event that it takes, and moves
//!   the position in the same transaction, so that no event is passed over. An event's `webhook-id` follows from log,
//!   endpoint and sequence, so that it is the same however often it is written or sent.
//! - [`claim`] takes deliveries that are due until a lease runs out; whoever holds one sends it and [`record`]s what came
//!   back. Whatever dies in between, the next one finds the delivery due again.
//! - `schedule` says when a failed one is tried again; [`replay`] puts ended ones on their way once more.
//! - [`body`] is what is sent. A new kind of event needs nothing here: its type is its name in small letters.

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
pub(crate) use token::{disable_all_of, hand_over};

/// Says whether something may be sent to an address. Given by whoever can resolve names.
#[async_trait]
pub trait Targets: Send + Sync + std::fmt::Debug + 'static {
    /// Why nothing is sent there, in words for the person who named it.
    async fn check(&self, url: &str) -> std::result::Result<(), String>;
}
