//! What a reading changes among a thread's messages, and writing that.

use std::collections::HashMap;

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};

use super::entry::{self, Place, Read};
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::inbox::{Author, Message, MessageKind, replies};
use crate::store::Tx;
use crate::store::entities::{messages, threads};
use crate::{Result, search};

/// Rows written with one statement: few enough for every database's limit of parameters.
const CHUNK: usize = 500;

/// Messages of a thread before and after a reading.
pub(super) struct Changes {
    /// All of the thread, in the order of their positions.
    all: Vec<messages::Model>,
    /// Places in `all` of those that were not here before.
    new: Vec<usize>,
    /// Places in `all` of those that changed, and whether somebody who looks sees it.
    changed: Vec<(usize, bool)>,
    /// Places in `all` of those that are found by other words than before, or were not here.
    found: Vec<usize>,
}

/// What a reading says of its thread, for its messages.
pub(super) struct Reading {
    /// Whether the other side has read what the account wrote.
    pub read_by_person: bool,
    /// The reading's own time, for entries without one.
    pub time: Millis,
    /// Entries before this one, by its place in the reading, count as read although the thread is unread.
    pub read_until: usize,
}

/// Compares what was read with what is here.
pub(super) fn compare(
    tx: &Tx,
    thread: &threads::Model,
    rows: Vec<messages::Model>,
    reads: &[Read],
    reading: &Reading,
) -> Result<Changes> {
    let places: HashMap<String, usize> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| (row.remote_key.clone(), place))
        .collect();
    let mut position = rows.iter().map(|row| row.position).max().unwrap_or_default();
    let mut time = reads.iter().find_map(|read| read.time).unwrap_or(reading.time);
    let mut changes = Changes {
        all: rows,
        new: Vec::new(),
        changed: Vec::new(),
        found: Vec::new(),
    };
    for (at, read) in reads.iter().enumerate() {
        let is_read = match read.author {
            Author::Account => reading.read_by_person,
            Author::Person => !thread.unread || at < reading.read_until,
            Author::Site => true,
        };
        if let Some(place) = places.get(&read.key) {
            let row = &changes.all[*place];
            let merged = entry::merged(row, read, is_read)?;
            time = merged.time;
            if merged != *row {
                changes
                    .changed
                    .push((*place, entry::looks_changed(row, &merged)?));
                if search::keep::is_other(row, &merged) {
                    changes.found.push(*place);
                }
                changes.all[*place] = merged;
            }
            continue;
        }
        time = read.time.unwrap_or(time);
        position += 1;
        let place = Place {
            id: tx.id(),
            owner_id: &thread.owner_id,
            account_id: &thread.account_id,
            thread_id: &thread.id,
            position,
            time,
            is_read,
        };
        changes.new.push(changes.all.len());
        changes.found.push(changes.all.len());
        changes.all.push(entry::row(read, place)?);
    }
    Ok(changes)
}

impl Changes {
    pub fn new_messages(&self) -> i64 {
        self.new.len() as i64
    }

    pub fn count(&self) -> i64 {
        self.all.len() as i64
    }

    /// The newest message: the last one that was written, which is not always the last one that came here.
    pub fn newest(&self) -> Option<&messages::Model> {
        self.all.iter().max_by_key(|row| (row.time, row.position))
    }

    /// The last word of one of the two sides.
    pub fn last_word(&self) -> Option<&messages::Model> {
        let words = [
            MessageKind::Message,
            MessageKind::OfferRequest,
            MessageKind::SellerOffer,
        ];
        self.all
            .iter()
            .filter(|row| row.author != Author::Site && words.contains(&row.kind))
            .max_by_key(|row| (row.time, row.position))
    }

    pub fn all(&self) -> &[messages::Model] {
        &self.all
    }

    /// Joins the account's new messages to the replies that they came of.
    pub async fn join_replies(&mut self, tx: &Tx, site: &str) -> Result<()> {
        for place in &self.new {
            let row = &mut self.all[*place];
            if row.author == Author::Account && row.kind == MessageKind::Message {
                replies::join(tx, site, row).await?;
            }
        }
        Ok(())
    }

    /// What is found by other words than before, or was not here.
    pub fn found(&self) -> Vec<&messages::Model> {
        self.found.iter().map(|place| &self.all[*place]).collect()
    }

    /// Writes what is new and what changed.
    pub async fn write(&self, tx: &Tx) -> Result<()> {
        for chunk in self.new.chunks(CHUNK) {
            let rows = chunk
                .iter()
                .map(|place| self.all[*place].clone().into_active_model());
            messages::Entity::insert_many(rows)
                .exec_without_returning(tx)
                .await?;
        }
        for (place, _) in &self.changed {
            let row = self.all[*place].clone().into_active_model();
            row.reset_all().update(tx).await?;
        }
        Ok(())
    }

    /// Says what is new and what looks changed.
    pub fn tell(&self, tx: &Tx) -> Result<()> {
        for place in &self.new {
            let row = &self.all[*place];
            let kind = match row.author {
                Author::Account => Kind::MessageSent,
                Author::Person | Author::Site => Kind::MessageReceived,
            };
            tx.emit(PendingEvent::changed(kind, &Message::from(row.clone()))?);
        }
        for (place, _) in self.changed.iter().filter(|(_, is_seen)| *is_seen) {
            let message = Message::from(self.all[*place].clone());
            tx.emit(PendingEvent::changed(Kind::MessageUpdated, &message)?);
        }
        Ok(())
    }
}
