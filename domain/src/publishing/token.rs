//! The confirm token: proof that its holder was shown the prepared content.

use crate::clock::Millis;
use crate::keys::{Keys, Purpose};
use crate::store::entities::publish_jobs;
use crate::{Error, Reason, Result};

/// The claims of a token. The signature additionally covers the id of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claims {
    workspace_id: String,
    account_id: String,
    site: String,
    job_id: String,
    prepare_number: i64,
    revision_hash: String,
    read_back_hash: String,
    expire_time: Millis,
}

impl Claims {
    fn of(row: &publish_jobs::Model) -> Option<Self> {
        Some(Self {
            workspace_id: row.workspace_id.clone(),
            account_id: row.account_id.clone(),
            site: row.site.clone(),
            job_id: row.id.clone(),
            prepare_number: row.prepare_number,
            revision_hash: row.revision_hash.clone(),
            read_back_hash: row.read_back_hash.clone()?,
            expire_time: row.confirm_expire_time?,
        })
    }

    fn text(&self) -> String {
        let numbers = format!("{}|{}", self.prepare_number, self.expire_time);
        let (revision, read_back) = (&self.revision_hash, &self.read_back_hash);
        [
            &self.workspace_id,
            &self.account_id,
            &self.site,
            &self.job_id,
            revision,
            read_back,
            &numbers,
        ]
        .map(String::as_str)
        .join("|")
    }
}

/// Issues the token of a prepared job. Returns it with its expiry. `None`: the job is not prepared.
pub(super) fn issue(keys: &Keys, row: &publish_jobs::Model) -> Option<(String, Millis)> {
    let claims = Claims::of(row)?;
    Some((
        keys.sign(Purpose::Confirmation, &claims.text()),
        claims.expire_time,
    ))
}

/// Checks that a token belongs to this job and its current preparation. Does not check expiry or use.
pub(super) fn check(keys: &Keys, token: &str, row: &publish_jobs::Model) -> Result<()> {
    if token.is_empty() {
        return Err(Error::rejected(
            Reason::ConfirmationRequired,
            "a confirm token is required; GetPublishJob shows it after the preparation",
        ));
    }
    let given = keys.verify(Purpose::Confirmation, token);
    let expected = Claims::of(row).map(|claims| claims.text());
    match (given, expected) {
        (Some(given), Some(expected)) if given == expected => Ok(()),
        (Some(given), _) if given.split('|').nth(3) == Some(row.id.as_str()) => Err(Error::rejected(
            Reason::ConfirmationStale,
            "the job was prepared again after this token was issued; review the job again",
        )),
        _ => Err(Error::rejected(
            Reason::ConfirmationInvalid,
            "the confirm token does not belong to this job",
        )),
    }
}
