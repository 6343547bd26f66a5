//! The client against a server whose answers are scripted call by call.

mod calls;
mod server;
mod sessions;
mod uploads;
mod watching;
