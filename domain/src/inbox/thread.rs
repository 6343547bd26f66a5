//! A conversation between an account and one counterparty.

use serde::{Deserialize, Serialize};
use vintedbot_marketplace::Transaction;

use super::Removal;
use crate::clock::Millis;
use crate::events::{Resource, ResourceType};
use crate::store::entities::{people, threads};

/// The counterparty of threads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: String,
    pub site: String,
    pub member_id: String,
    pub login: String,
    pub is_system: bool,
}

/// The item that a thread is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub remote_item_ids: Vec<String>,
    pub title: String,
    pub listing_id: Option<String>,
    pub url: Option<String>,
    pub is_closed: bool,
}

/// The unsent text of a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub text: String,
    /// Grows with each save, including a save that discards the text.
    pub version: i64,
    pub update_time: Option<Millis>,
}

/// A conversation between an account and one counterparty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    pub id: String,
    pub workspace_id: String,
    pub account_id: String,
    pub site: String,
    pub remote_id: String,
    pub person: Person,
    pub item: Option<Item>,
    pub transaction: Option<Transaction>,
    pub snippet: String,
    pub last_message_time: Millis,
    pub unread_count: i64,
    pub unread: bool,
    pub waiting_for_me: bool,
    pub has_offer: bool,
    pub archived: bool,
    pub snooze_until: Option<Millis>,
    pub labels: Vec<String>,
    pub note: String,
    pub draft: Draft,
    pub reply_allowed: bool,
    pub read_by_person: bool,
    pub message_count: i64,
    pub create_time: Millis,
    pub update_time: Millis,
    pub sequence: i64,
    pub removal: Option<Removal>,
}

impl From<people::Model> for Person {
    fn from(row: people::Model) -> Self {
        Self {
            id: row.id,
            site: row.site,
            member_id: row.member_id,
            login: row.login,
            is_system: row.is_system,
        }
    }
}

impl Thread {
    /// Builds the resource from the rows of a thread and its person.
    pub fn of(row: threads::Model, person: people::Model) -> Self {
        let transaction: Option<Transaction> = row
            .transaction_state
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok());
        Self {
            removal: Removal::of(&row),
            item: item(&row, transaction.as_ref()),
            transaction,
            person: person.into(),
            labels: serde_json::from_str(&row.labels).unwrap_or_default(),
            draft: Draft {
                text: row.draft_text.unwrap_or_default(),
                version: row.draft_version,
                update_time: row.draft_time,
            },
            id: row.id,
            workspace_id: row.workspace_id,
            account_id: row.account_id,
            site: row.site,
            remote_id: row.remote_id,
            snippet: row.snippet,
            last_message_time: row.last_message_time,
            unread_count: row.unread_count,
            unread: row.unread,
            waiting_for_me: row.waiting_for_me,
            has_offer: row.has_offer,
            archived: row.archived,
            snooze_until: row.snooze_until,
            note: row.note,
            reply_allowed: row.reply_allowed,
            read_by_person: row.read_by_person,
            message_count: row.message_count,
            create_time: row.create_time,
            update_time: row.update_time,
            sequence: row.sequence,
        }
    }
}

fn item(row: &threads::Model, transaction: Option<&Transaction>) -> Option<Item> {
    let ids = transaction.map(|one| one.item_ids.clone()).unwrap_or_default();
    if row.subject.is_empty() && ids.is_empty() {
        return None;
    }
    Some(Item {
        remote_item_ids: ids,
        title: row.subject.clone(),
        listing_id: row.listing_id.clone(),
        url: transaction.and_then(|one| one.item_url.clone()),
        is_closed: transaction.is_some_and(|one| one.item_is_closed),
    })
}

impl Resource for Thread {
    const TYPE: ResourceType = ResourceType::Thread;
    fn id(&self) -> &str {
        &self.id
    }
    fn workspace_id(&self) -> &str {
        &self.workspace_id
    }
    fn account_id(&self) -> Option<&str> {
        Some(&self.account_id)
    }
    fn thread_id(&self) -> Option<&str> {
        Some(&self.id)
    }
}
