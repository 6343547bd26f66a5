//! The signed position of a reader in the event log.
//!
//! The signature prevents a caller from reading at a position that this server did not issue.

use crate::keys::{Keys, Purpose};
use crate::{Error, Reason, Result};

/// A position in the event log of one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub workspace_id: String,
    /// The epoch of the log. It changes when the database is restored or copied, which invalidates earlier cursors.
    pub log_epoch: String,
    /// The sequence up to which the reader has seen all events.
    pub sequence: i64,
}

impl Cursor {
    pub fn encode(&self, keys: &Keys) -> String {
        keys.sign(
            Purpose::Cursor,
            &format!("{}|{}|{}", self.workspace_id, self.log_epoch, self.sequence),
        )
    }

    /// Verifies and decodes a cursor of this workspace.
    ///
    /// # Errors
    /// CURSOR_EXPIRED for a cursor of another epoch; CURSOR_INVALID for any other text that this server did not issue
    /// to this workspace.
    pub fn decode(text: &str, workspace_id: &str, log_epoch: &str, keys: &Keys) -> Result<Self> {
        let invalid = || {
            Error::rejected(
                Reason::CursorInvalid,
                "this server did not issue the cursor to this workspace",
            )
        };
        let payload = keys.verify(Purpose::Cursor, text).ok_or_else(invalid)?;
        let mut parts = payload.splitn(3, '|');
        let (Some(workspace), Some(epoch), Some(sequence)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid());
        };
        if workspace != workspace_id {
            return Err(invalid());
        }
        if epoch != log_epoch {
            return Err(expired());
        }
        let sequence: i64 = sequence.parse().map_err(|_| invalid())?;
        let skipped = i64::from(crate::failpoints::disables("cursor"));
        Ok(Self {
            workspace_id: workspace.to_owned(),
            log_epoch: epoch.to_owned(),
            sequence: sequence + skipped,
        })
    }
}

/// The error of a reader whose position is no longer in the log.
pub(super) fn expired() -> Error {
    Error::rejected(
        Reason::CursorExpired,
        "the log does not continue at this cursor; call Watch again with snapshot = true and no cursor",
    )
}
