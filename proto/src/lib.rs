//! The contract of vintedbot, `vintedbot/v1/*.proto`, as Rust code.
//!
//! Everything in [`v1`] is generated. To change the contract, edit the `.proto` files, which document each message,
//! field and value, and run `make generate`. `tests/drift.rs` fails if the generated code differs. A new service is a
//! new `.proto` file; nothing changes here.
//!
//! A new method needs the options `scope` and `role`, which `vintedbot/v1/authorization.proto` describes, and a comment
//! that ends with its scopes. `tests/authorization.rs` fails otherwise. The server enforces the options through
//! [`authorization::METHODS`], which is generated too.

pub mod authorization;
mod codec;

/// Messages, clients and servers of the package `vintedbot.v1`.
#[expect(clippy::large_enum_variant, reason = "the code is generated")]
#[rustfmt::skip]
#[path = "gen/vintedbot.v1.rs"]
pub mod v1;

/// All files of the package and their imports, with comments, as an encoded `google.protobuf.FileDescriptorSet`. Server
/// reflection serves it.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/vintedbot.v1.binpb");
