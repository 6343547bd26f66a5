//! The client against a server that is scripted call by call.

mod calls;
mod server;
mod uploads;
mod watching;
