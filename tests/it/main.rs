//! The whole product from outside: the built program, its command line, its SDKs and its documents.
//!
//! What these tests need on the machine is brought by `make test`; where it is missing they fail, and say so.

#[path = "../../proofs/tests/support/collector.rs"]
mod collector;
#[path = "../../proofs/tests/support/postgres.rs"]
mod postgres;

mod architecture;
mod deploy;
mod metrics;
mod moved;
mod private;
mod readme;
mod rig;
mod search;
mod seeded;
mod traces;
mod typescript;
