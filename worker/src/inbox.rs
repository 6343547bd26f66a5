//! Reading the inboxes of accounts, and marking threads as read there.

use std::sync::Arc;

use vintedbot_domain::Result;
use vintedbot_domain::jobs::Claim;

use crate::Worker;

/// Reads an account's inbox, as far as something changed there.
pub async fn sync(_worker: &Arc<Worker>, _claim: &Claim) -> Result<()> {
    Ok(())
}

/// Marks a thread as read on the site.
pub async fn mark_read(_worker: &Arc<Worker>, _claim: &Claim) -> Result<()> {
    Ok(())
}
