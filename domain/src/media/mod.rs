//! Photos: processing of uploaded pictures, storage of the files, and access to them.
//!
//! [`upload`] and [`upload_many`] store a caller's photos. The SHA-256 hash of the stored file identifies a photo: if a
//! workspace stores the same content twice, there is one photo. A file is served to the holder of a signed path
//! ([`signed`]).

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
pub(crate) use removal::mark_all_for_deletion;
pub use removal::remove_marked;
pub use signed::{MediaFile, open_signed, photo_url, signed_path};
pub use spool::{Incoming, Spool, Spooled};
pub(crate) use thumbnail::thumbnail;
pub use ticket::{OpenTicket, Ticket, open_ticket, upload_ticket};
pub use unused::clean;
pub(crate) use unused::mark_used;
pub use upload::{NewPhoto, SpooledPhoto, Uploaded, store, upload, upload_many};
pub(crate) use upload::{prepare, store_all};

use crate::{Error, Reason};

/// Maps an error of the spool: a full disk becomes STORAGE_FULL, any other error is internal.
pub fn spool_error(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            file_error(files::Error::StorageFull)
        }
        _ => Error::Internal(format!("the spool failed: {error}")),
    }
}

/// Maps an error of the media store. The caller sees a full disk as STORAGE_FULL, and other errors as internal.
fn file_error(error: files::Error) -> Error {
    match error {
        files::Error::StorageFull => {
            Error::rejected(Reason::StorageFull, "the disk is full; nothing was stored")
        }
        other => other.into(),
    }
}
