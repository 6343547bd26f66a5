//! The conversations of all accounts, as they were read on the site, and what is kept about them here.
//!
//! - [`thread`], [`message`], [`reply`], [`template`] are the resources that callers see.
//! - [`replies`] sends.

mod delete_all;
mod message;
pub mod replies;
mod reply;
mod template;
mod thread;

pub(crate) use delete_all::delete_all;
pub use message::{Attachment, AttachmentState, Author, Content, Message, MessageKind};
pub use reply::{Reply, ReplyState};
pub use template::Template;
pub use thread::{Draft, Item, Person, Thread};
