//! The conversations of all accounts as read from the site, and the data that the workspace adds to them.
//!
//! - `thread`, `message`, `reply` and `template` are the resources that callers see.
//! - [`sync`] reads the site's inbox; [`replies`] sends messages; [`removal`] removes a thread on the site.
//! - `get`, `list`, `messages`, `counts` and `person` read. Each list is one SELECT.
//! - `bulk`, `shelve` and `draft` change the local data of threads and nothing on the site. Each passes a closure that
//!   edits the row; `change` locks the row, compares, writes and emits the event.
//! - `templates` stores reusable texts, and `fill` fills their variables.
//!
//! To add an operation on threads, write a closure for `change`, and update in `row::save` the data that depends on the
//! row.

mod bulk;
mod change;
mod claimed;
mod counts;
mod delete;
mod draft;
mod fill;
mod get;
mod list;
mod message;
mod messages;
mod open;
mod person;
pub mod removal;
pub mod replies;
mod reply;
mod row;
mod shelve;
pub mod sync;
mod template;
mod templates;
mod text;
mod thread;

pub use bulk::{Archive, Label, Mark, archive, label, mark};
pub use counts::{Counts, InboxCounts, counts};
pub use delete::delete;
pub(crate) use delete::forget_account;
pub use draft::{SaveDraft, save_draft};
pub use fill::{Filled, Preview, Source, preview};
pub use get::get;
pub use list::{Filter, list, list_all};
pub use message::{Attachment, AttachmentState, Author, Content, Message, MessageKind};
pub use messages::list_messages;
pub use open::open_replies;
pub use person::{PersonPage, person};
pub use removal::{Removal, RemovalState};
pub use reply::{Reply, ReplyState};
pub use shelve::{Note, Snooze, set_note, snooze};
pub use template::Template;
pub use templates::{
    NewTemplate, UpdateTemplate, create_template, delete_template, get_template, list_templates,
    update_template,
};
pub use text::{BULK_MAX, LABELS_MAX};
pub use thread::{Draft, Item, Person, Thread};
