//! The conversations of all accounts, as they were read on the site, and what is kept about them here.
//!
//! - [`thread`], [`message`], [`reply`], [`template`] are the resources that callers see.
//! - [`sync`] brings here what the site has.

mod message;
mod reply;
pub mod sync;
mod template;
mod thread;

pub use message::{Attachment, AttachmentState, Author, Content, Message, MessageKind};
pub use reply::{Reply, ReplyState};
pub use template::Template;
pub use thread::{Draft, Item, Person, Thread};
