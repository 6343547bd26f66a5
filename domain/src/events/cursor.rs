//! Where a reader stands in the log, authenticated, so that nobody reads from a place they were not given.

use crate::keys::{Keys, Purpose};
use crate::{Error, Reason, Result};

/// A place in one owner's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub owner_id: String,
    /// Changes when the database is restored or copied: places before mean nothing after.
    pub log_epoch: String,
    /// Everything up to here has been seen.
    pub sequence: i64,
}

impl Cursor {
    pub fn encode(&self, keys: &Keys) -> String {
        keys.sign(
            Purpose::Cursor,
            &format!("{}|{}|{}", self.owner_id, self.log_epoch, self.sequence),
        )
    }

    /// Opens a cursor of this owner. One from another epoch is CURSOR_EXPIRED, anything else that is not ours is
    /// CURSOR_INVALID.
    pub fn decode(text: &str, owner_id: &str, log_epoch: &str, keys: &Keys) -> Result<Self> {
        let invalid = || {
            Error::rejected(
                Reason::CursorInvalid,
                "the cursor is not one that this server gave to you",
            )
        };
        let payload = keys.verify(Purpose::Cursor, text).ok_or_else(invalid)?;
        let mut parts = payload.splitn(3, '|');
        let (Some(owner), Some(epoch), Some(sequence)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(invalid());
        };
        if owner != owner_id {
            return Err(invalid());
        }
        if epoch != log_epoch {
            return Err(expired());
        }
        let sequence: i64 = sequence.parse().map_err(|_| invalid())?;
        let skipped = i64::from(crate::failpoints::disables("cursor"));
        Ok(Self {
            owner_id: owner.to_owned(),
            log_epoch: epoch.to_owned(),
            sequence: sequence + skipped,
        })
    }
}

/// What a reader is told whose place in the log is gone.
pub(super) fn expired() -> Error {
    Error::rejected(
        Reason::CursorExpired,
        "that place in the log is gone; call Watch again with snapshot = true and no cursor",
    )
}
