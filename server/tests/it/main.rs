//! The port as clients meet it: a server in this process on a port of its own, over a SQLite database in a folder of its
//! own. One module per matter; `harness` makes the instance.

mod authentication;
mod catalog;
mod errors;
mod harness;
mod logs;
mod preview;
mod publishing;
mod records;
mod transport;
mod upload;
mod watch;
mod web;
