//! What the product knows: its rules, its records, its jobs, its ledger, its event log.
//!
//! It knows nothing of gRPC, browsers or HTTP clients. Server and worker meet only here: the server asks for work by
//! writing a job row, the worker does it. Each slice is a module with one file per group of operations; its records are in
//! [`store::entities`].

pub mod accounts;
pub mod catalog;
pub mod clock;
mod domain;
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

pub use domain::{Domain, Wakes};
pub(crate) use error::is_plain;
pub use error::{Error, Fault, Reason, Rejection, Result, Violation};
