//! The marketplace as the rest of the product sees it: the [`Marketplace`], [`ListingFormDriver`] and [`Inbox`] traits,
//! their types, and the site's limits, names and signs as data. This crate does no I/O.
//!
//! To support another site, implement the three traits in a separate crate, and give it data files like those in
//! `marketplace/data`.

pub mod catalog;
pub mod challenge;
mod content;
pub mod cookies;
pub mod currencies;
mod error;
mod fold;
pub mod hosts;
mod inbox;
pub mod limits;
mod listing_form;
pub mod markets;
mod remote;
pub mod selectors;
mod session;
pub mod text;

pub use content::{CategoryChoice, Field, ItemContent, Language, Money, Named, PhotoFile};
pub use error::{Error, WriteError};
pub use fold::fold;
pub use inbox::{
    Button, Conversation, Counterparty, Entry, EntryContent, Inbox, InboxPage, InboxRow, OutgoingReply, Side,
    Transaction,
};
pub use listing_form::{
    BrowserWindow, ChangeKind, Changed, Ending, Evidence, FieldReading, FillStep, Filled, ListingFormDriver,
    ListingFormIdentity, ListingFormRequest, Permit, Process, Published, Saved, StepObserver, Stopped,
    TimelineStep,
};
pub use remote::{
    AccountContext, AccountLockToken, DriverKind, Marketplace, Member, OwnItem, RemoteItem, RemotePhoto,
};
pub use session::{CANDIDATE, Cookies, LostSession, Renewal, Session, Sessions};
