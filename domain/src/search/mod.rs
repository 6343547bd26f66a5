//! Finding anything: full text over messages, threads, notes, people and listings, with one meaning on both engines.
//!
//! - [`fold`](fold::words) makes words of text, `query` understands what somebody looks for, `snippet` shows where it is. All
//!   three work on text alone, so that no engine has a say in what is found.
//! - `document` says what is indexed of each thing, `space` whose it is, `index` writes it.
//! - [`keep`] is called by whoever writes such a thing, in the same transaction; `rebuild` makes an index anew while all that
//!   goes on.
//! - `find` asks the engine, and `hits` looks up what it names.
//!
//! A new kind of thing: a [`Kind`], a function in `document`, one in `keep` with its calls, a phase of `rebuild`, and a hit.

mod document;
mod find;
mod fold;
mod hits;
mod index;
pub(crate) mod keep;
mod periods;
mod query;
pub mod rebuild;
mod snippet;
mod space;

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use crate::clock::Millis;

pub use find::{Answer, search_inbox, search_listings};
pub use hits::{Hit, ListingHit};
pub use query::BYTES_MAX;
pub use rebuild::{Phase, Progress};
pub use snippet::Segment;
pub use space::Corpus;

/// What a document is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    Message,
    /// What a thread is about.
    Thread,
    /// What is noted about a thread.
    Note,
    Person,
    Listing,
}

/// What to look among.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    pub account_id: Option<String>,
    pub person_id: Option<String>,
    pub thread_id: Option<String>,
    /// Empty: all.
    pub kinds: Vec<Kind>,
    /// From this time on.
    pub from: Option<Millis>,
    /// Before this time.
    pub until: Option<Millis>,
    pub has_photo: bool,
    pub has_offer: bool,
}
