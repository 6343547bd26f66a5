//! Full-text search over messages, threads, notes, people and listings, with the same results on SQLite and PostgreSQL.
//!
//! - [`fold`](fold::words) splits text into words, `query` parses the caller's query, and `snippet` marks the matches.
//!   All three work on text alone, so that results do not depend on the database.
//! - `document` defines the indexed content of each record, `space` separates workspaces, and `index` writes.
//! - `update` is called by the code that writes a record, in the same transaction. `rebuild` rebuilds an index while
//!   writes continue.
//! - `find` queries the database, and `hits` loads the records that were found.
//!
//! To add a kind of record, add a [`Kind`], a function in `document`, one in `update` with its calls, a phase in
//! `rebuild`, and a hit.

mod document;
mod find;
mod fold;
mod hits;
mod index;
mod periods;
mod query;
pub mod rebuild;
mod snippet;
mod space;
pub(crate) mod update;

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use crate::clock::Millis;

pub use find::{Answer, search_inbox, search_listings};
pub use hits::{Hit, ListingHit};
pub use query::BYTES_MAX;
pub use rebuild::{Phase, Progress};
pub use snippet::Segment;
pub use space::Corpus;

/// The kind of record of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    Message,
    /// A thread's title.
    Thread,
    /// A thread's note.
    Note,
    Person,
    Listing,
}

/// The filter of a search.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    pub account_id: Option<String>,
    pub person_id: Option<String>,
    pub thread_id: Option<String>,
    /// Empty: all kinds.
    pub kinds: Vec<Kind>,
    /// The earliest time, included.
    pub from: Option<Millis>,
    /// The latest time, not included.
    pub until: Option<Millis>,
    pub has_photo: bool,
    pub has_offer: bool,
}
