//! The conversations of all accounts, as they were read on the site, and what is kept about them here.
//!
//! - `thread`, `message`, `reply`, `template` are the resources that callers see.
//! - [`sync`] brings here what the site has; [`replies`] sends there, [`removal`] removes a thread there.
//! - `get`, `list`, `messages`, `counts` and `person` read; each list is one select.
//! - `bulk`, `shelve` and `draft` change what is kept here about a thread, and nothing on the site. They say in a closure how
//!   the row is to be; `change` locks it, compares, writes, and tells.
//! - `templates` keeps texts that are used again, and `fill` fills them.
//!
//! A new thing to do with threads: a closure for `change`, and what must be kept in step with it in `row::save`.

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
