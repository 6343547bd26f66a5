//! Computes and writes the changes that a reading makes to a thread's messages.

use std::collections::HashMap;

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};

use super::entry::{self, NewMessage, Read};
use super::merge;
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::inbox::{Author, Message, MessageKind, replies};
use crate::store::Tx;
use crate::store::entities::{messages, threads};
use crate::{Result, search};

/// The number of rows per INSERT, below every database's limit on parameters.
const CHUNK: usize = 500;

/// The messages of a thread before and after a reading.
pub(super) struct Changes {
    /// All messages of the thread, sorted by position.
    all: Vec<messages::Model>,
    /// Indexes in `all` of the new messages.
    new: Vec<usize>,
    /// Indexes in `all` of the changed messages, and whether the change is visible to a client.
    changed: Vec<(usize, bool)>,
    /// Indexes in `all` of the messages to index for search: new ones and those whose search words changed.
    found: Vec<usize>,
}

/// The properties of a reading that apply to all its messages.
pub(super) struct Reading {
    /// Whether the counterparty has read the account's messages.
    pub read_by_person: bool,
    /// The time of the reading, used for entries without a time.
    pub time: Millis,
    /// The index of an entry in the reading. Entries before it count as read although the thread is unread.
    pub read_until: usize,
}

/// Compares a reading with the stored messages.
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
            let merged = merge::merged(row, read, is_read)?;
            time = merged.time;
            if merged != *row {
                changes
                    .changed
                    .push((*place, merge::looks_changed(row, &merged)?));
                if search::update::is_other(row, &merged) {
                    changes.found.push(*place);
                }
                changes.all[*place] = merged;
            }
            continue;
        }
        time = read.time.unwrap_or(time);
        position += 1;
        let place = NewMessage {
            id: tx.id(),
            workspace_id: &thread.workspace_id,
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

    /// Returns the newest message by time. It is not always the last one stored.
    pub fn newest(&self) -> Option<&messages::Model> {
        self.all.iter().max_by_key(|row| (row.time, row.position))
    }

    /// Returns the newest message or offer of either member; entries of the site do not count.
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

    /// Links the account's new messages to the replies that sent them.
    pub async fn join_replies(&mut self, tx: &Tx, site: &str) -> Result<()> {
        for place in &self.new {
            let row = &mut self.all[*place];
            if row.author == Author::Account && row.kind == MessageKind::Message {
                replies::join(tx, site, row).await?;
            }
        }
        Ok(())
    }

    /// Returns the messages to index for search: new ones and those whose search words changed.
    pub fn found(&self) -> Vec<&messages::Model> {
        self.found.iter().map(|place| &self.all[*place]).collect()
    }

    /// Writes the new and the changed messages.
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

    /// Emits events for the new messages and for those with a visible change.
    pub fn emit(&self, tx: &Tx) -> Result<()> {
        for place in &self.new {
            let row = &self.all[*place];
            let kind = match row.author {
                Author::Account => Kind::MessageSent,
                Author::Person | Author::Site => Kind::MessageReceived,
            };
            tx.emit(PendingEvent::changed(kind, &Message::from(row.clone()))?);
        }
        for (place, _) in self.changed.iter().filter(|(_, is_visible)| *is_visible) {
            let message = Message::from(self.all[*place].clone());
            tx.emit(PendingEvent::changed(Kind::MessageUpdated, &message)?);
        }
        Ok(())
    }
}
