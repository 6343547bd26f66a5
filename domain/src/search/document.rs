//! The documents of the search index: the indexed content of each record.

use std::collections::HashMap;

use super::Kind;
use super::fold::{Word, indexed, words};
use super::space::Space;
use crate::clock::Millis;
use crate::inbox::MessageKind;
use crate::listings::Listing;
use crate::store::entities::{listings, messages, people, threads};

/// The maximum number of indexed words per document. PostgreSQL's `tsvector` has 16,383 positions.
const WORDS_MAX: usize = 10_000;
/// The maximum number of positions per word, as in PostgreSQL's `tsvector`.
const PLACES_MAX: usize = 255;

/// The indexed content of a record.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub kind: Kind,
    /// The id of the message, thread, person or listing.
    pub entity_id: String,
    pub thread_id: Option<String>,
    pub time: Millis,
    pub texts: Vec<String>,
    pub marks: Vec<String>,
}

/// Filter values as words. A query cannot contain them, because folding removes `~`.
pub(super) mod marks {
    use crate::search::Kind;

    pub const PHOTO: &str = "~f";
    pub const OFFER: &str = "~o";

    pub fn kind(kind: Kind) -> String {
        let letter = match kind {
            Kind::Message => 'm',
            Kind::Thread => 't',
            Kind::Note => 'n',
            Kind::Person => 'p',
            Kind::Listing => 'l',
        };
        format!("~k{letter}")
    }

    pub fn account(id: &str) -> String {
        of_id('a', id)
    }

    pub fn person(id: &str) -> String {
        of_id('p', id)
    }

    pub fn thread(id: &str) -> String {
        of_id('t', id)
    }

    /// Drops every character that is not a letter or digit, because an id may come from a caller.
    fn of_id(letter: char, id: &str) -> String {
        let id = id.chars().filter(char::is_ascii_alphanumeric);
        format!("~{letter}{}", id.collect::<String>().to_ascii_lowercase())
    }
}

/// The words of a document, for either database.
pub(super) struct Words {
    /// The words by position. A separator follows each text, so that no phrase spans two texts.
    in_order: Vec<String>,
    marks: Vec<String>,
}

const SEPARATOR: &str = "~";

impl Document {
    /// Returns the document's words. `None`: it has none.
    pub(super) fn words(&self, space: Space) -> Option<Words> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut in_order = Vec::new();
        for text in &self.texts {
            let before = in_order.len();
            let words: Vec<Word> = words(text).into_iter().map(|placed| placed.word).collect();
            for word in indexed(&words) {
                let indexed = space.word(&word);
                let count = counts.entry(word).or_default();
                *count += 1;
                if *count <= PLACES_MAX && in_order.len() < WORDS_MAX {
                    in_order.push(indexed);
                }
            }
            if in_order.len() > before {
                in_order.push(SEPARATOR.to_owned());
            }
        }
        let marks = self.marks.iter().map(|mark| space.word(mark)).collect();
        (!in_order.is_empty()).then_some(Words { in_order, marks })
    }
}

impl Words {
    /// Returns the text for FTS5's `ascii` tokenizer, which splits only at spaces here.
    pub fn fts5(&self) -> String {
        let all: Vec<&str> = self
            .in_order
            .iter()
            .chain(&self.marks)
            .map(String::as_str)
            .collect();
        all.join(" ")
    }

    /// Returns the text of a `tsvector`. `period_marks` are the marks of the document's time periods.
    pub fn tsvector(&self, period_marks: impl Iterator<Item = String>) -> String {
        let mut places: HashMap<&str, Vec<String>> = HashMap::new();
        for (at, word) in self
            .in_order
            .iter()
            .enumerate()
            .filter(|(_, word)| *word != SEPARATOR)
        {
            places.entry(word).or_default().push((at + 1).to_string());
        }
        let placed = places
            .into_iter()
            .map(|(word, places)| format!("'{word}':{}", places.join(",")));
        let marks = self.marks.iter().cloned().chain(period_marks);
        let marks = marks.map(|mark| format!("'{mark}'"));
        placed.chain(marks).collect::<Vec<_>>().join(" ")
    }
}

/// Returns the documents of a thread: its title and its note.
pub(super) fn of_thread(thread: &threads::Model) -> [Document; 2] {
    let document = |kind, text: &str| {
        let mut marks = vec![
            marks::kind(kind),
            marks::account(&thread.account_id),
            marks::person(&thread.person_id),
            marks::thread(&thread.id),
        ];
        if thread.has_offer {
            marks.push(marks::OFFER.to_owned());
        }
        Document {
            kind,
            entity_id: thread.id.clone(),
            thread_id: Some(thread.id.clone()),
            time: thread.last_message_time,
            texts: vec![text.to_owned()],
            marks,
        }
    };
    [
        document(Kind::Thread, &thread.subject),
        document(Kind::Note, &thread.note),
    ]
}

pub(super) fn of_message(message: &messages::Model, person_id: &str) -> Document {
    let mut marks = vec![
        marks::kind(Kind::Message),
        marks::account(&message.account_id),
        marks::person(person_id),
        marks::thread(&message.thread_id),
    ];
    if message.attachments != "[]" {
        marks.push(marks::PHOTO.to_owned());
    }
    if matches!(message.kind, MessageKind::OfferRequest | MessageKind::SellerOffer) {
        marks.push(marks::OFFER.to_owned());
    }
    Document {
        kind: Kind::Message,
        entity_id: message.id.clone(),
        thread_id: Some(message.thread_id.clone()),
        time: message.time,
        texts: vec![message.text.clone()],
        marks,
    }
}

pub(super) fn of_person(person: &people::Model, account_ids: &[String]) -> Document {
    let mut marks = vec![marks::kind(Kind::Person), marks::person(&person.id)];
    marks.extend(account_ids.iter().map(|id| marks::account(id)));
    Document {
        kind: Kind::Person,
        entity_id: person.id.clone(),
        thread_id: None,
        time: person.create_time,
        texts: vec![person.login.clone()],
        marks,
    }
}

pub(super) fn of_listing(row: &listings::Model) -> Document {
    let mut marks = vec![marks::kind(Kind::Listing), marks::account(&row.account_id)];
    if row.photo_ids != "[]" {
        marks.push(marks::PHOTO.to_owned());
    }
    Document {
        kind: Kind::Listing,
        entity_id: row.id.clone(),
        thread_id: None,
        time: row.create_time,
        texts: texts_of(&Listing::from(row.clone())),
        marks,
    }
}

/// Returns all texts of a listing.
pub(super) fn texts_of(listing: &Listing) -> Vec<String> {
    let singles = [
        &listing.brand,
        &listing.category,
        &listing.size,
        &listing.condition,
        &listing.package_size,
    ];
    let names = singles
        .into_iter()
        .flatten()
        .chain(&listing.colors)
        .chain(&listing.materials);
    [listing.title.clone(), listing.description.clone()]
        .into_iter()
        .chain(names.map(|named| named.name.clone()))
        .collect()
}
