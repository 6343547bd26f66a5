//! Maps the entries of a conversation to message rows: key, author and content.

use std::collections::HashMap;

use vintedbot_marketplace::{Conversation, Counterparty, Entry, EntryContent, Language, Money, text};

use crate::clock::Millis;
use crate::inbox::{Attachment, AttachmentState, Author, Content, MessageKind};
use crate::listings::price_text;
use crate::store::entities::messages;
use crate::{Error, Result};

/// The two members of a conversation.
pub(super) struct Sides<'a> {
    /// The account's member id on the site. Absent: not known yet.
    pub account: Option<&'a str>,
    pub person: Option<&'a Counterparty>,
}

impl Sides<'_> {
    fn author(&self, member_id: Option<&str>) -> Author {
        let Some(id) = member_id else {
            return Author::Site;
        };
        if self.account == Some(id) {
            return Author::Account;
        }
        match self.person {
            Some(person) if person.member_id == id && person.is_system => Author::Site,
            Some(person) if person.member_id == id => Author::Person,
            // A conversation has two members, and this one is not the counterparty.
            Some(person) if self.account.is_none() && !person.member_id.is_empty() => Author::Account,
            _ => Author::Person,
        }
    }
}

/// An entry after mapping.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub key: String,
    pub remote_id: Option<String>,
    pub kind: MessageKind,
    pub author: Author,
    pub text: String,
    pub content: Option<Content>,
    pub photo_urls: Vec<String>,
    pub time: Option<Millis>,
    pub hidden: bool,
}

/// Maps a conversation's entries in their order, each key once. If two entries have the same key, the later one counts.
pub(super) fn read_all(conversation: &Conversation, sides: &Sides<'_>, language: Language) -> Vec<Read> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut reads: Vec<Read> = Vec::with_capacity(conversation.entries.len());
    for entry in &conversation.entries {
        let read = read(entry, sides, language, &mut counts);
        match places.get(&read.key) {
            Some(place) => reads[*place] = read,
            None => {
                places.insert(read.key.clone(), reads.len());
                reads.push(read);
            }
        }
    }
    reads
}

fn read(entry: &Entry, sides: &Sides<'_>, language: Language, counts: &mut HashMap<String, u32>) -> Read {
    let (kind, name) = kind_of(&entry.content);
    let remote_id = entry
        .remote_id
        .as_deref()
        .map(storable)
        .filter(|id| !id.is_empty());
    let key = match &remote_id {
        Some(id) => format!("{name}:{id}"),
        None => {
            let time = entry.time.map(|time| time.to_string()).unwrap_or_default();
            let alike = format!("{name}:{time}");
            let number = counts.entry(alike.clone()).or_default();
            *number += 1;
            format!("{alike}:{number}")
        }
    };
    let (text, content, photo_urls) = content_of(&entry.content, language);
    Read {
        key,
        remote_id,
        kind,
        author: sides.author(entry.member_id.as_deref()),
        text,
        content,
        photo_urls,
        time: entry.time,
        hidden: entry.hidden,
    }
}

fn kind_of(content: &EntryContent) -> (MessageKind, String) {
    match content {
        EntryContent::Message { .. } => (MessageKind::Message, "message".to_owned()),
        EntryContent::OfferRequest { .. } => (MessageKind::OfferRequest, "offer_request".to_owned()),
        EntryContent::SellerOffer { .. } => (MessageKind::SellerOffer, "seller_offer".to_owned()),
        EntryContent::Status { .. } => (MessageKind::Status, "status".to_owned()),
        EntryContent::Action { .. } => (MessageKind::Action, "action".to_owned()),
        // Each unknown entity type may have its own id sequence.
        EntryContent::Unknown { entity_type, .. } => {
            (MessageKind::Unknown, format!("unknown:{}", storable(entity_type)))
        }
    }
}

fn content_of(content: &EntryContent, language: Language) -> (String, Option<Content>, Vec<String>) {
    let price = |price: &Option<Money>| {
        price
            .as_ref()
            .map(|price| price_text(price, language))
            .unwrap_or_default()
    };
    match content {
        EntryContent::Message { body, photo_urls } => (storable(body), None, photo_urls.clone()),
        EntryContent::OfferRequest {
            offer_id,
            transaction_id,
            price: asked,
            original_price,
            status,
            current,
        } => {
            let content = Content::OfferRequest {
                offer_id: offer_id.clone(),
                transaction_id: transaction_id.clone(),
                price: asked.clone(),
                original_price: original_price.clone(),
                status: *status,
                current: *current,
            };
            (price(asked), Some(content), Vec::new())
        }
        EntryContent::SellerOffer {
            price: named,
            original_price,
            current,
        } => {
            let content = Content::SellerOffer {
                price: named.clone(),
                original_price: original_price.clone(),
                current: *current,
            };
            (price(named), Some(content), Vec::new())
        }
        EntryContent::Status { title, subtitle } => {
            let content = Content::Status {
                title: title.clone(),
                subtitle: subtitle.clone(),
            };
            (joined(title, subtitle), Some(content), Vec::new())
        }
        EntryContent::Action {
            title,
            subtitle,
            buttons,
        } => {
            let content = Content::Action {
                title: title.clone(),
                subtitle: subtitle.clone(),
                buttons: buttons.clone(),
            };
            (joined(title, subtitle), Some(content), Vec::new())
        }
        EntryContent::Unknown { entity_type, json } => {
            let content = Content::Unknown {
                entity_type: entity_type.clone(),
                json: json.clone(),
            };
            (String::new(), Some(content), Vec::new())
        }
    }
}

fn joined(title: &str, subtitle: &str) -> String {
    let parts: Vec<&str> = [title, subtitle]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    storable(&parts.join("\n"))
}

/// Returns a text of the site in the common form, without NUL characters, which PostgreSQL rejects.
pub(super) fn storable(text: &str) -> String {
    text::cleaned(text)
}

/// The values of a new row that its entry does not supply.
pub(super) struct NewMessage<'a> {
    pub id: String,
    pub workspace_id: &'a str,
    pub account_id: &'a str,
    pub thread_id: &'a str,
    pub position: i64,
    pub time: Millis,
    pub is_read: bool,
}

/// Builds the row of a new entry.
pub(super) fn row(read: &Read, new: NewMessage<'_>) -> Result<messages::Model> {
    let attachments: Vec<Attachment> = read.photo_urls.iter().map(|url| pending(url)).collect();
    Ok(messages::Model {
        id: new.id,
        workspace_id: new.workspace_id.to_owned(),
        account_id: new.account_id.to_owned(),
        thread_id: new.thread_id.to_owned(),
        remote_key: read.key.clone(),
        remote_id: read.remote_id.clone(),
        kind: read.kind,
        author: read.author,
        text: read.text.clone(),
        content: read.content.as_ref().map(serde_json::to_string).transpose()?,
        attachments: serde_json::to_string(&attachments)?,
        time: new.time,
        position: new.position,
        read: new.is_read,
        hidden: read.hidden,
        reply_id: None,
        sequence: 0,
    })
}

/// Returns the attachment of a photo that is not fetched yet.
pub(super) fn pending(url: &str) -> Attachment {
    Attachment {
        state: AttachmentState::Pending,
        url: url.to_owned(),
        photo_id: None,
        message: String::new(),
        attempts: 0,
    }
}

/// Decodes the attachments of a row.
pub(super) fn parsed(row: &messages::Model) -> Result<Vec<Attachment>> {
    serde_json::from_str(&row.attachments)
        .map_err(|error| Error::Internal(format!("attachments of message {}: {error}", row.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: Option<&str>, member: Option<&str>, body: &str) -> Entry {
        Entry {
            remote_id: id.map(str::to_owned),
            member_id: member.map(str::to_owned),
            time: Some(1_000),
            content: EntryContent::Message {
                body: body.to_owned(),
                photo_urls: Vec::new(),
            },
            hidden: false,
        }
    }

    fn conversation(entries: Vec<Entry>) -> Conversation {
        Conversation {
            id: "1".to_owned(),
            person: None,
            subtitle: String::new(),
            unread: false,
            reply_allowed: true,
            read_by_account: true,
            read_by_person: true,
            transaction: None,
            entries,
        }
    }

    fn keys(entries: Vec<Entry>) -> Vec<String> {
        let sides = Sides {
            account: Some("1"),
            person: None,
        };
        let reads = read_all(&conversation(entries), &sides, Language::En);
        reads.into_iter().map(|read| read.key).collect()
    }

    #[test]
    fn entry_key_is_its_id_or_kind_time_and_number() {
        let status = |title: &str| Entry {
            content: EntryContent::Status {
                title: title.to_owned(),
                subtitle: String::new(),
            },
            ..message(None, None, "")
        };
        let timeless = Entry {
            time: None,
            ..status("c")
        };
        let keys = keys(vec![
            message(Some("7"), Some("2"), "a"),
            status("a"),
            status("b"),
            timeless,
            message(Some("7"), Some("2"), "b"),
        ]);
        assert_eq!(keys, ["message:7", "status:1000:1", "status:1000:2", "status::1"]);
    }

    #[test]
    fn author_is_derived_when_the_member_is_unknown() {
        let person = Counterparty {
            member_id: "2".to_owned(),
            login: "b".to_owned(),
            is_system: false,
        };
        let system = Counterparty {
            is_system: true,
            ..person.clone()
        };
        for (account, person, member, expected) in [
            (Some("1"), Some(&person), Some("1"), Author::Account),
            (Some("1"), Some(&person), Some("2"), Author::Person),
            (Some("1"), Some(&person), None, Author::Site),
            (Some("1"), Some(&system), Some("2"), Author::Site),
            (None, Some(&person), Some("1"), Author::Account),
            (None, Some(&person), Some("2"), Author::Person),
            (Some("1"), None, Some("2"), Author::Person),
            (None, None, Some("1"), Author::Person),
        ] {
            let sides = Sides { account, person };
            assert_eq!(
                sides.author(member),
                expected,
                "{account:?} {person:?} {member:?}"
            );
        }
    }

    #[test]
    fn nul_is_removed() {
        assert_eq!(keys(vec![message(Some("1\0"), None, "")]), ["message:1"]);
    }
}
