//! Search: which query finds which text, on both engines.

mod bad;
mod found;
mod old;
mod rebuilt;
mod signs;
mod stored;

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
use vintedbot_marketplace::{Conversation, Counterparty, Entry, EntryContent};

use crate::postgres::Postgres;
use crate::support::{START, World, page};

/// A world on one engine, with its database.
pub struct Stage {
    pub engine: &'static str,
    pub world: World,
    pub account: Account,
    server: Option<Postgres>,
    _folder: TempDir,
}

/// Opens the same world on each engine.
pub async fn stages() -> Vec<Stage> {
    let mut stages = Vec::new();
    for engine in ["SQLite", "PostgreSQL"] {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, url) = if engine == "SQLite" {
            // The database is a file so that readers and writer are separate connections.
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

/// A conversation as the site returns it.
pub struct ConversationSpec<'a> {
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

    /// Stores a conversation as an inbox sync does.
    pub async fn store_conversation(&self, spec: ConversationSpec<'_>) -> Stored {
        store_conversation(&self.world, &self.account, spec).await
    }

    pub async fn search(&self, query: &str, filter: &Filter, page: &PageRequest) -> Result<Answer<Hit>> {
        search::search_inbox(&self.world.context, &self.world.caller, query, filter, page).await
    }

    /// Returns the kind and the marked text of each hit, in order.
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

    /// Counts the hits for another caller.
    pub async fn finds_for(&self, caller: &Caller, query: &str) -> usize {
        let all = Filter::default();
        let context = &self.world.context;
        let inbox = search::search_inbox(context, caller, query, &all, &page(200, "")).await;
        let listings = search::search_listings(context, caller, query, &all, &page(200, "")).await;
        inbox.expect("an answer").page.items.len() + listings.expect("an answer").page.items.len()
    }

    /// Returns the titles of the listings that a query finds.
    pub async fn finds_listings(&self, query: &str) -> Vec<String> {
        let all = Filter::default();
        let (context, caller) = (&self.world.context, &self.world.caller);
        let answer = search::search_listings(context, caller, query, &all, &page(200, "")).await;
        let found = answer.expect("an answer").page.items;
        found
            .into_iter()
            .map(|hit| format!("{}: {}", hit.listing.title, marked(&hit.snippet)))
            .collect()
    }
}

pub async fn store_conversation(world: &World, account: &Account, spec: ConversationSpec<'_>) -> Stored {
    let member_id = format!("member {}", spec.with);
    let entries = spec.entries.into_iter().map(|entry| Entry {
        member_id: Some(member_id.clone()),
        ..entry
    });
    let conversation = Conversation {
        id: spec.id.to_owned(),
        person: Some(Counterparty {
            member_id: member_id.clone(),
            login: spec.with.to_owned(),
            is_system: false,
        }),
        subtitle: spec.about.to_owned(),
        unread: true,
        reply_allowed: true,
        read_by_account: false,
        read_by_person: false,
        transaction: None,
        entries: entries.collect(),
    };
    let account_id = account.id.clone();
    let written = world.context.store.write(move |tx| {
        let (account_id, conversation) = (account_id.clone(), conversation.clone());
        async move {
            let account = account_rows::Entity::find_by_id(&account_id).one(tx).await?;
            store_in(tx, &account.expect("an account"), None, None, &conversation).await
        }
        .boxed()
    });
    written.await.expect("is stored")
}

/// Returns a message of the counterparty, `second` seconds after the start.
pub fn message_entry(second: i64, body: &str) -> Entry {
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
