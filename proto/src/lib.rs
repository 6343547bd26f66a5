//! The contract of vintedbot: what `vintedbot/v1/*.proto` says, as Rust.
//!
//! Everything in [`v1`] is generated. To change the contract, edit the `.proto` files (each message, field and value is
//! documented there) and run `make generate`; `tests/drift.rs` fails while the two differ. A new service is a new file
//! beside the others, and needs nothing here.

mod codec;

/// Messages, clients and servers of the package `vintedbot.v1`.
#[expect(clippy::large_enum_variant, reason = "it is generated, and as the contract has it")]
#[rustfmt::skip]
#[path = "gen/vintedbot.v1.rs"]
pub mod v1;

/// All files of the package and what they import, with their comments, as an encoded `google.protobuf.FileDescriptorSet`:
/// what server reflection answers with.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/vintedbot.v1.binpb");
