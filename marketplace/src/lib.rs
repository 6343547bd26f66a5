//! What a marketplace is, as the rest of the product sees it: the [`Marketplace`], [`Composer`] and [`Inbox`] traits, the types that
//! pass through them, and the site's limits, names and signs as data. Nothing here does I/O.
//!
//! To reach another site: implement the three traits in a crate of their own, and give it data files like those in
//! `marketplace/data`.

pub mod catalog;
pub mod challenge;
mod composer;
mod content;
pub mod cookies;
mod error;
mod fold;
pub mod hosts;
mod inbox;
pub mod limits;
pub mod markets;
mod remote;
pub mod selectors;
mod session;

pub use composer::{
    ChangeKind, Changed, Composer, ComposerIdentity, ComposerRequest, Ending, Evidence, FieldReading,
    FillStep, Filled, Frame, Permit, Process, Published, Saved, StepObserver, Stopped, Window,
};
pub use content::{CategoryChoice, Field, ItemContent, Language, Money, Named, PhotoFile};
pub use error::{Error, WriteError};
pub use fold::fold;
pub use inbox::{
    Button, Conversation, Entry, EntryContent, Inbox, InboxPage, InboxRow, Interlocutor, OutgoingReply, Side,
    Transaction,
};
pub use remote::{DriverKind, Marketplace, Member, OwnItem, RemoteItem, RemotePhoto, Seat, SeatLock};
pub use session::{CANDIDATE, Cookies, LostSession, Renewal, Session, Sessions};
