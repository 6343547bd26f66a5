//! The client against a server whose answers are scripted call by call.

mod calls;
mod server;
mod uploads;
mod watching;
