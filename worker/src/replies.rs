//! The way of a reply to the site.

use std::sync::Arc;

use vintedbot_domain::Result;
use vintedbot_domain::jobs::Claim;

use crate::Worker;

/// Works on a reply.
pub async fn run(_worker: &Arc<Worker>, _claim: &Claim) -> Result<()> {
    Ok(())
}
