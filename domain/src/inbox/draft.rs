//! `SaveDraft`: one draft a thread, with a version, so that two devices do not overwrite each other unseen.

use super::change::{Change, change_one};
use super::text::check_text;
use super::{Draft, Thread};
use crate::events::Kind;
use crate::identity::Caller;
use crate::{Domain, Error, Reason, Result};

/// What somebody is writing, and what they saw when they began.
#[derive(Clone, Debug)]
pub struct SaveDraft {
    pub thread_id: String,
    /// Empty: the draft is thrown away.
    pub text: String,
    pub expected_version: i64,
}

/// Saves a draft. A text that is there already changes nothing, whatever version was expected: nobody's words are lost by it,
/// and so a call whose answer was lost can be repeated.
///
/// # Errors
/// DRAFT_CONFLICT where another text was saved since.
pub async fn save_draft(domain: &Domain, caller: &Caller, save: SaveDraft) -> Result<Draft> {
    if let Some(violation) = check_text("text", &save.text) {
        return Err(Error::Invalid(vec![violation]));
    }
    let wanted = Change {
        method: "SaveDraft",
        kind: Kind::ThreadDraftSaved,
        ids: vec![save.thread_id.clone()],
        parameters: (),
        request_id: None,
    };
    let thread: Thread = change_one(domain, caller, wanted, move |row, now| {
        if row.draft_text.as_deref().unwrap_or_default() == save.text {
            return Ok(());
        }
        if row.draft_version != save.expected_version {
            let message =
                "the draft was saved by another device; get the thread, look at its draft, then save again";
            return Err(Error::rejected(Reason::DraftConflict, message)
                .with("version", row.draft_version.to_string()));
        }
        row.draft_text = Some(save.text.clone()).filter(|text| !text.is_empty());
        row.draft_version += 1;
        row.draft_time = Some(now);
        Ok(())
    })
    .await?;
    Ok(thread.draft)
}
