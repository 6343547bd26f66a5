//! Tests of the built program from outside: its command line, its SDKs and its documents.
//!
//! `make test` installs the tools that these tests need. A test whose tool is missing fails and names it.

#[path = "../../proofs/tests/support/collector.rs"]
mod collector;
#[path = "../../proofs/tests/support/postgres.rs"]
mod postgres;

mod architecture;
mod deploy;
mod mail;
mod metrics;
mod moved;
mod people;
mod private;
mod python;
mod readme;
mod rig;
mod search;
mod seeded;
mod traces;
mod typescript;
