//! The confirm token of a reply. It proves that its holder was shown the content to be sent.

use crate::clock::Millis;
use crate::keys::{Keys, Purpose};
use crate::store::entities::replies;
use crate::{Error, Reason, Result};

fn claims(row: &replies::Model) -> Option<String> {
    let expire = row.confirm_expire_time?;
    let numbers = format!("{}|{expire}", row.prepare_number);
    let parts = [
        "reply",
        &row.workspace_id,
        &row.account_id,
        &row.site,
        &row.id,
        &row.content_hash,
        &numbers,
    ];
    Some(parts.join("|"))
}

/// Signs the token of a reply that waits for a confirmation. Returns the token and its expiry.
pub(super) fn issue(keys: &Keys, row: &replies::Model) -> Option<(String, Millis)> {
    Some((
        keys.sign(Purpose::Confirmation, &claims(row)?),
        row.confirm_expire_time?,
    ))
}

/// Checks that a token belongs to this reply and its present content. Does not check expiry or use.
pub(super) fn check(keys: &Keys, token: &str, row: &replies::Model) -> Result<()> {
    if token.is_empty() {
        return Err(Error::rejected(
            Reason::ConfirmationRequired,
            "a confirm token is required; GetReply shows it",
        ));
    }
    let given = keys.verify(Purpose::Confirmation, token);
    match given {
        Some(given) if Some(&given) == claims(row).as_ref() => Ok(()),
        Some(given) if given.split('|').nth(4) == Some(row.id.as_str()) => Err(Error::rejected(
            Reason::ConfirmationStale,
            "the reply was prepared again after this token was issued; review it again",
        )),
        _ => Err(Error::rejected(
            Reason::ConfirmationInvalid,
            "the confirm token does not belong to this reply",
        )),
    }
}
