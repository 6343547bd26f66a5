//! Finding things: what is found by what, on both engines.

mod bad;
mod found;
mod kept;
mod old;
mod rebuilt;

use futures::FutureExt as _;
use sea_orm::EntityTrait as _;
use tempfile::TempDir;
use vintedbot_domain::Result;
use vintedbot_domain::accounts::Account;
use vintedbot_domain::identity::Caller;
use vintedbot_domain::inbox::sync::{Stored, store_in};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::search::{self, Answer, Filter, Hit, Kind, Segment};
use vintedbot_domain::store::entities::accounts as account_rows;
use vintedbot_marketplace::{Conversation, Entry, EntryContent, Interlocutor};

use crate::postgres::Postgres;
use crate::support::{START, World, page};

/// A world on one of the engines, and what that stands on.
pub struct Stage {
    pub engine: &'static str,
    pub world: World,
    pub account: Account,
    server: Option<Postgres>,
    _folder: TempDir,
}

/// The same world on each engine.
pub async fn stages() -> Vec<Stage> {
    let mut stages = Vec::new();
    for engine in ["SQLite", "PostgreSQL"] {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, url) = if engine == "SQLite" {
            // In a file, so that readers are not the writer.
            let file = folder.path().join("test.sqlite");
            (None, format!("sqlite://{}", file.display()))
        } else {
            let server = Postgres::start().await.expect("starts");
            let url = server.url();
            (Some(server), url)
        };
        let (world, account) = World::with_account_on(&url).await;
        stages.push(Stage {
            engine,
            world,
            account,
            server,
            _folder: folder,
        });
    }
    stages
}

/// A conversation as the site tells it.
pub struct Told<'a> {
    pub id: &'a str,
    pub with: &'a str,
    pub about: &'a str,
    pub entries: Vec<Entry>,
}

impl Stage {
    pub async fn end(self) {
        if let Some(server) = self.server {
            server.stop().await.expect("ends");
        }
    }

    /// Stores a conversation as a reading of the inbox does.
    pub async fn reads(&self, told: Told<'_>) -> Stored {
        reads(&self.world, &self.account, told).await
    }

    pub async fn search(&self, query: &str, filter: &Filter, page: &PageRequest) -> Result<Answer<Hit>> {
        search::search_inbox(&self.world.domain, &self.world.caller, query, filter, page).await
    }

    /// What a query finds: kind and what is marked, in order.
    pub async fn finds(&self, query: &str) -> Vec<String> {
        self.finds_among(query, &Filter::default()).await
    }

    pub async fn finds_among(&self, query: &str, filter: &Filter) -> Vec<String> {
        let answer = self
            .search(query, filter, &page(200, ""))
            .await
            .expect("an answer");
        answer.page.items.iter().map(shown).collect()
    }

    /// What a query finds for somebody else.
    pub async fn finds_for(&self, caller: &Caller, query: &str) -> usize {
        let all = Filter::default();
        let domain = &self.world.domain;
        let inbox = search::search_inbox(domain, caller, query, &all, &page(200, "")).await;
        let listings = search::search_listings(domain, caller, query, &all, &page(200, "")).await;
        inbox.expect("an answer").page.items.len() + listings.expect("an answer").page.items.len()
    }

    /// Titles of the listings that a query finds.
    pub async fn finds_listings(&self, query: &str) -> Vec<String> {
        let all = Filter::default();
        let (domain, caller) = (&self.world.domain, &self.world.caller);
        let answer = search::search_listings(domain, caller, query, &all, &page(200, "")).await;
        let found = answer.expect("an answer").page.items;
        found
            .into_iter()
            .map(|hit| format!("{}: {}", hit.listing.title, marked(&hit.snippet)))
            .collect()
    }
}

pub async fn reads(world: &World, account: &Account, told: Told<'_>) -> Stored {
    let member_id = format!("member {}", told.with);
    let entries = told.entries.into_iter().map(|entry| Entry {
        member_id: Some(member_id.clone()),
        ..entry
    });
    let conversation = Conversation {
        id: told.id.to_owned(),
        person: Some(Interlocutor {
            member_id: member_id.clone(),
            login: told.with.to_owned(),
            is_system: false,
        }),
        subtitle: told.about.to_owned(),
        unread: true,
        reply_allowed: true,
        read_by_account: false,
        read_by_person: false,
        transaction: None,
        entries: entries.collect(),
    };
    let account_id = account.id.clone();
    let written = world.domain.store.write(move |tx| {
        let (account_id, conversation) = (account_id.clone(), conversation.clone());
        async move {
            let account = account_rows::Entity::find_by_id(&account_id).one(tx).await?;
            store_in(tx, &account.expect("an account"), None, None, &conversation).await
        }
        .boxed()
    });
    written.await.expect("is stored")
}

/// A message of the other side, so many seconds after the start.
pub fn says(second: i64, body: &str) -> Entry {
    entry(
        second,
        EntryContent::Message {
            body: body.to_owned(),
            photo_urls: Vec::new(),
        },
    )
}

pub fn entry(second: i64, content: EntryContent) -> Entry {
    Entry {
        remote_id: Some(format!("at {second}")),
        member_id: None,
        time: Some(START + second * 1_000),
        content,
        hidden: false,
    }
}

fn shown(hit: &Hit) -> String {
    let kind = match hit.kind {
        Kind::Message => "message",
        Kind::Thread => "thread",
        Kind::Note => "note",
        Kind::Person => "person",
        Kind::Listing => "listing",
    };
    format!("{kind}: {}", marked(&hit.snippet))
}

fn marked(snippet: &[Segment]) -> String {
    snippet
        .iter()
        .map(|segment| match segment.highlighted {
            true => format!("[{}]", segment.text),
            false => segment.text.clone(),
        })
        .collect()
}
