//! Loads the records of the documents that were found. Each record is looked up by id and workspace, so that a deleted
//! record or another workspace's record is never shown, even if the index contains it. The index does not count words,
//! so a record in which a repeated term occurs too rarely is left out here.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::Kind;
use super::document::texts_of;
use super::query::Query;
use super::snippet::{Segment, has_repeats, snippet};
use crate::clock::Millis;
use crate::identity::Caller;
use crate::listings::Listing;
use crate::store::OfWorkspace;
use crate::store::entities::search_documents::Model;
use crate::store::entities::{listings, messages, people, threads};
use crate::{Context, Result};

/// A result of an inbox search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub kind: Kind,
    /// Absent for a person, who may write to several accounts.
    pub account_id: Option<String>,
    pub thread_id: Option<String>,
    pub message_id: Option<String>,
    pub person_id: String,
    pub time: Millis,
    pub snippet: Vec<Segment>,
}

/// A result of a listing search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingHit {
    pub listing: Listing,
    pub snippet: Vec<Segment>,
}

pub(super) async fn of_inbox(
    context: &Context,
    caller: &Caller,
    query: &Query,
    documents: Vec<Model>,
) -> Result<Vec<Hit>> {
    let (reader, workspace_id) = (context.store.reader(), caller.workspace_id.as_str());
    let of_kind = |kind| {
        let documents = documents.iter().filter(move |document| document.kind == kind);
        documents.map(|document| document.entity_id.as_str())
    };
    let mut threads: HashMap<String, threads::Model> = HashMap::new();
    let thread_ids: Vec<&str> = documents
        .iter()
        .filter_map(|document| document.thread_id.as_deref())
        .collect();
    if !thread_ids.is_empty() {
        let rows = threads::Entity::find()
            .filter(threads::Column::Id.is_in(thread_ids))
            .of_workspace(workspace_id)
            .filter(threads::Column::DeleteTime.is_null())
            .all(reader)
            .await?;
        threads.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
    }
    let mut messages: HashMap<String, messages::Model> = HashMap::new();
    if of_kind(Kind::Message).next().is_some() {
        let rows = messages::Entity::find()
            .filter(messages::Column::Id.is_in(of_kind(Kind::Message)))
            .of_workspace(workspace_id)
            .all(reader)
            .await?;
        messages.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
    }
    let mut people: HashMap<String, people::Model> = HashMap::new();
    if of_kind(Kind::Person).next().is_some() {
        let rows = people::Entity::find()
            .filter(people::Column::Id.is_in(of_kind(Kind::Person)))
            .of_workspace(workspace_id)
            .all(reader)
            .await?;
        people.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
    }
    let hit = |document: &Model| {
        let of_thread = |message: Option<&messages::Model>, time, text: &str| {
            let thread = threads.get(document.thread_id.as_deref()?)?;
            has_repeats(&[text], query).then(|| Hit {
                kind: document.kind,
                account_id: Some(thread.account_id.clone()),
                thread_id: Some(thread.id.clone()),
                message_id: message.map(|message| message.id.clone()),
                person_id: thread.person_id.clone(),
                time,
                snippet: snippet(&[text], query),
            })
        };
        let thread = || threads.get(&document.entity_id);
        match document.kind {
            Kind::Message => {
                let message = messages.get(&document.entity_id)?;
                of_thread(Some(message), message.time, &message.text)
            }
            Kind::Thread => thread().and_then(|row| of_thread(None, row.last_message_time, &row.subject)),
            Kind::Note => thread().and_then(|row| of_thread(None, row.last_message_time, &row.note)),
            Kind::Person => {
                let person = people.get(&document.entity_id)?;
                has_repeats(&[&person.login], query).then(|| Hit {
                    kind: document.kind,
                    account_id: None,
                    thread_id: None,
                    message_id: None,
                    person_id: person.id.clone(),
                    time: person.create_time,
                    snippet: snippet(&[&person.login], query),
                })
            }
            Kind::Listing => None,
        }
    };
    Ok(documents.iter().filter_map(hit).collect())
}

pub(super) async fn of_listings(
    context: &Context,
    caller: &Caller,
    query: &Query,
    documents: Vec<Model>,
) -> Result<Vec<ListingHit>> {
    if documents.is_empty() {
        return Ok(Vec::new());
    }
    let ids = documents.iter().map(|document| document.entity_id.as_str());
    let rows = listings::Entity::find()
        .filter(listings::Column::Id.is_in(ids))
        .of_workspace(&caller.workspace_id)
        .all(context.store.reader())
        .await?;
    let mut rows: HashMap<String, listings::Model> =
        rows.into_iter().map(|row| (row.id.clone(), row)).collect();
    let hit = |document: &Model| {
        let listing = Listing::from(rows.remove(&document.entity_id)?);
        let texts = texts_of(&listing);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        has_repeats(&texts, query).then(|| ListingHit {
            snippet: snippet(&texts, query),
            listing,
        })
    };
    Ok(documents.iter().filter_map(hit).collect())
}
