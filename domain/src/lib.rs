//! The domain: business rules, records, jobs, effect ledger and event log.
//!
//! This crate does not depend on gRPC, browsers or HTTP clients. Server and worker meet only here: the server requests
//! work by writing a job row, and the worker executes it. Each slice is a module with one file per group of operations.
//! Its records are in [`store::entities`].

pub mod accounts;
pub mod catalog;
pub mod clock;
mod context;
mod error;
pub mod events;
pub mod failpoints;
pub mod figures;
pub mod identity;
pub mod ids;
pub mod inbox;
pub mod instance;
pub mod jobs;
pub mod keys;
pub mod listings;
pub mod media;
pub mod paging;
pub mod private;
pub mod publishing;
pub mod requests;
pub mod search;
pub mod settings;
pub mod store;
pub mod trace;
pub mod transfer;
pub mod wardrobe;
pub mod webhooks;

pub use context::{Context, Wakes};
pub(crate) use error::is_plain;
pub use error::{Error, Fault, Reason, Rejection, Result, Violation};
