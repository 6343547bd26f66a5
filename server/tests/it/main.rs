//! Tests of the API port over the network. Each test starts a server in this process on its own port, with a SQLite
//! database in its own folder. There is one module per topic; `harness` creates the instance.

#[path = "../../../proofs/tests/support/postgres.rs"]
mod postgres;

mod authentication;
mod catalog;
mod connections;
mod conversations;
mod cookies;
mod errors;
mod harness;
mod inbox;
mod lists;
mod logs;
mod people;
mod people_events;
mod preview;
mod publishing;
mod records;
mod repeats;
mod replies;
mod search;
mod session_tokens;
mod stalled;
mod templates;
mod tokens;
mod transport;
mod upload;
mod upload_limits;
mod watch;
mod watch_inbox;
mod web;
mod webhook_types;
mod webhooks;
