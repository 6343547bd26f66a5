//! Photos: what becomes of an uploaded picture, where its bytes are kept, and who may see them.
//!
//! [`upload`] and [`upload_many`] are the only ways in. A photo's identity is the SHA-256 of the file that is kept: the same
//! content stored twice by one owner is one photo. Files are served to whoever holds a signed path ([`signed`]).

mod delete;
pub mod files;
mod get;
mod limit;
mod names;
mod photo;
pub mod pipeline;
mod refusal;
mod removal;
mod signed;
mod spool;
mod thumbnail;
mod ticket;
mod unused;
mod upload;

pub use delete::delete;
pub use get::{by_ids, get, list};
pub use photo::{NearDuplicate, Photo};
pub use removal::remove_condemned;
pub use signed::{MediaFile, open_signed, photo_url, signed_path};
pub use spool::{Incoming, Spool, Spooled};
pub(crate) use thumbnail::thumbnail;
pub use ticket::{OpenTicket, Ticket, open_ticket, upload_ticket};
pub use unused::clean;
pub(crate) use unused::mark_used;
pub use upload::{NewPhoto, SpooledPhoto, Uploaded, store, upload, upload_many};
pub(crate) use upload::{prepare, store_all};

use crate::{Error, Reason};

/// As [`file_error`], for a file of the spool.
pub fn spool_error(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            file_error(files::Error::StorageFull)
        }
        _ => Error::Internal(format!("the spool: {error}")),
    }
}

/// A full disk is the caller's to know of; everything else is ours.
fn file_error(error: files::Error) -> Error {
    match error {
        files::Error::StorageFull => {
            Error::rejected(Reason::StorageFull, "the disk is full; nothing was stored")
        }
        other => other.into(),
    }
}
