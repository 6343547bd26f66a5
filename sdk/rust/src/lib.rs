#![doc = include_str!("../README.md")]
//!
//! # For whoever changes this crate
//!
//! - One file per service, under the service's name: the methods, and what the contract leaves to the client.
//! - `client` holds the connection and its settings, `call` makes one call and repeats it where that is safe, `retry`
//!   says which errors pass and how long to wait, `error` takes the server's refusals apart.
//! - `paging`, `watch` and `upload` are the three kinds of streams.
//!
//! A new method: a line in its service's file; if it changes anything, a line in `request_id` too, without which it does
//! not compile; if it is a list, one in `paging`. A new service: a file, and an accessor in `client`.

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
/// The contract's messages and enums: what goes into methods and comes out of them.
pub use vintedbot_proto::v1;
pub use vintedbot_proto::v1::ErrorReason;
pub use wardrobe::Wardrobe;
pub use watch::Watch;
pub use webhooks::Webhooks;
