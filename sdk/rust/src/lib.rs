#![doc = include_str!("../README.md")]
//!
//! # Structure of this crate
//!
//! - One file per service, named after the service. It contains the methods and the parts that the contract leaves to
//!   the client.
//! - `client` contains the connection and its settings. `call` makes a call and repeats it if that is safe. `retry`
//!   decides which errors are temporary and how long to wait. `session` refreshes the tokens of a signed-in person.
//!   `error` decodes the server's errors.
//! - `paging`, `watch` and `upload` implement the three kinds of streams.
//!
//! A new method is a line in its service's file. If it changes anything, it also needs a line in `request_id`;
//! otherwise it does not compile. If it is a list, it also needs a line in `paging`. A new service is a file and an
//! accessor in `client`.

mod accounts;
mod auth;
mod call;
mod catalog;
mod client;
mod error;
mod events;
mod inbox;
mod listings;
mod media;
mod paging;
mod publish;
mod random;
mod request_id;
mod retry;
mod search;
mod session;
mod templates;
mod upload;
mod values;
mod wardrobe;
mod watch;
mod webhooks;

pub use accounts::Accounts;
pub use auth::Auth;
pub use catalog::Catalog;
pub use client::{Client, ClientBuilder};
pub use error::{Error, Result};
pub use events::Events;
pub use inbox::Inbox;
pub use listings::Listings;
pub use media::Media;
pub use paging::Paged;
pub use prost_types::{FieldMask, Timestamp};
pub use publish::Publish;
pub use retry::RetryPolicy;
pub use search::Search;
pub use templates::Templates;
pub use tonic::Code;
pub use upload::Upload;
pub use values::{id, mask, money, name};
/// The contract's messages and enums, which the methods take and return.
pub use vintedbot_proto::v1;
pub use vintedbot_proto::v1::ErrorReason;
pub use wardrobe::Wardrobe;
pub use watch::Watch;
pub use webhooks::Webhooks;
