//! `SaveDraft`: each thread has one versioned draft, so that one device does not silently overwrite another's text.

use vintedbot_marketplace::text;

use super::change::{Change, change_one};
use super::text::check_text;
use super::{Draft, Thread};
use crate::events::Kind;
use crate::identity::Caller;
use crate::{Context, Error, Reason, Result};

/// The parameters of `SaveDraft`. `expected_version` is the draft version on which the text is based.
#[derive(Clone, Debug)]
pub struct SaveDraft {
    pub thread_id: String,
    /// Empty discards the draft.
    pub text: String,
    pub expected_version: i64,
}

/// Saves a draft. If the stored text equals the new one, nothing changes and no version is checked: no text is lost,
/// and a caller that lost the answer can repeat the call.
///
/// # Errors
/// DRAFT_CONFLICT if a different text was saved since `expected_version`.
pub async fn save_draft(context: &Context, caller: &Caller, save: SaveDraft) -> Result<Draft> {
    let save = SaveDraft {
        text: text::normalize(&save.text).into_owned(),
        ..save
    };
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
    let thread: Thread = change_one(context, caller, wanted, move |row, now| {
        if row.draft_text.as_deref().unwrap_or_default() == save.text {
            return Ok(());
        }
        if row.draft_version != save.expected_version {
            let message =
                "another device saved this draft; get the thread, compare its draft, then save again";
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
