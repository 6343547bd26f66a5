//! `SnoozeThread`, `SetThreadNote`.

use serde::Serialize;

use super::Thread;
use super::change::{Change, change_one};
use super::text::{SNOOZE_MAX, check_text};
use crate::clock::Millis;
use crate::events::Kind;
use crate::identity::Caller;
use crate::{Domain, Error, Result};

/// A thread that is put away, or brought back.
#[derive(Clone, Debug, Serialize)]
pub struct Snooze {
    pub id: String,
    /// Absent: it is brought back.
    pub until: Option<Millis>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// What the owner notes about a thread.
#[derive(Clone, Debug, Serialize)]
pub struct Note {
    pub id: String,
    /// Empty: nothing.
    pub note: String,
    #[serde(skip)]
    pub request_id: Option<String>,
}

/// Puts a thread away until a time, which takes it out of the archive: from there it would never come back.
pub async fn snooze(domain: &Domain, caller: &Caller, snooze: Snooze) -> Result<Thread> {
    let until = snooze.until;
    let wanted = Change {
        method: "SnoozeThread",
        kind: Kind::ThreadUpdated,
        ids: vec![snooze.id.clone()],
        request_id: snooze.request_id.clone(),
        parameters: snooze,
    };
    change_one(domain, caller, wanted, move |row, now| {
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

/// Writes a note, in the place of the one that was there.
pub async fn set_note(domain: &Domain, caller: &Caller, note: Note) -> Result<Thread> {
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
    change_one(domain, caller, wanted, move |row, _| {
        row.note.clone_from(&text);
        Ok(())
    })
    .await
}
