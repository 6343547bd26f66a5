//! `SnoozeThread`, `SetThreadNote`.

use serde::Serialize;
use vintedbot_marketplace::text;

use super::Thread;
use super::change::{Change, change_one};
use super::text::{SNOOZE_MAX, check_text};
use crate::clock::Millis;
use crate::events::Kind;
use crate::identity::Caller;
use crate::{Context, Error, Result};

/// The parameters of `SnoozeThread`.
#[derive(Clone, Debug, Serialize)]
pub struct Snooze {
    pub id: String,
    /// Absent: ends the snooze.
    pub until: Option<Millis>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// The parameters of `SetThreadNote`.
#[derive(Clone, Debug, Serialize)]
pub struct Note {
    pub id: String,
    /// Empty: removes the note.
    pub note: String,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// Snoozes a thread until a time, or ends its snooze. Snoozing also takes the thread out of the archive, because an
/// archived thread would not return to the list when the snooze ends.
pub async fn snooze(context: &Context, caller: &Caller, snooze: Snooze) -> Result<Thread> {
    let until = snooze.until;
    let wanted = Change {
        method: "SnoozeThread",
        kind: Kind::ThreadUpdated,
        ids: vec![snooze.id.clone()],
        request_id: snooze.request_id.clone(),
        parameters: snooze,
    };
    change_one(context, caller, wanted, move |row, now| {
        if let Some(until) = until {
            if until <= now || until > now + SNOOZE_MAX {
                return Err(Error::invalid(
                    "snooze_time",
                    "must be in the future, at most a year from now",
                ));
            }
            row.archived = false;
        }
        row.snooze_until = until;
        Ok(())
    })
    .await
}

/// Replaces the note of a thread.
pub async fn set_note(context: &Context, caller: &Caller, note: Note) -> Result<Thread> {
    let note = Note {
        note: text::normalize(&note.note).into_owned(),
        ..note
    };
    if let Some(violation) = check_text("note", &note.note) {
        return Err(Error::Invalid(vec![violation]));
    }
    let text = note.note.clone();
    let wanted = Change {
        method: "SetThreadNote",
        kind: Kind::ThreadUpdated,
        ids: vec![note.id.clone()],
        request_id: note.request_id.clone(),
        parameters: note,
    };
    change_one(context, caller, wanted, move |row, _| {
        row.note.clone_from(&text);
        Ok(())
    })
    .await
}
