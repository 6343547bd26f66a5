//! Conversations for tests, stored as an inbox sync stores them.

use futures::FutureExt as _;
use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use vintedbot_domain::identity;
use vintedbot_domain::inbox::sync::store_in;
use vintedbot_domain::store::entities::accounts;
use vintedbot_marketplace::{Conversation, Counterparty, Entry, EntryContent, InboxRow, Money, Transaction};

use crate::harness::{Connection, Instance};

/// The time that seconds are counted from.
pub const START: i64 = 1_790_000_000_000;

/// Returns a conversation with the member `person`, who wrote `messages` messages, one a second, starting after
/// `second`.
pub fn conversation(id: &str, person: &str, messages: i64, second: i64) -> Conversation {
    let entry = |number: i64| Entry {
        remote_id: Some(number.to_string()),
        member_id: Some(person.to_owned()),
        time: Some(START + (second + number) * 1000),
        content: EntryContent::Message {
            body: format!("Message {number}"),
            photo_urls: Vec::new(),
        },
        hidden: false,
    };
    Conversation {
        id: id.to_owned(),
        person: Some(Counterparty {
            member_id: person.to_owned(),
            login: format!("member-{person}"),
            is_system: false,
        }),
        subtitle: "Blue coat".to_owned(),
        unread: true,
        reply_allowed: true,
        read_by_account: false,
        read_by_person: true,
        transaction: None,
        entries: (1..=messages).map(entry).collect(),
    }
}

/// Returns the same conversation about an item with a price.
pub fn priced(conversation: Conversation, minor_units: i64) -> Conversation {
    let transaction = Transaction {
        id: "1".to_owned(),
        item_title: "Blue coat".to_owned(),
        price: Some(Money {
            minor_units,
            currency: "EUR".to_owned(),
        }),
        ..Transaction::default()
    };
    Conversation {
        transaction: Some(transaction),
        ..conversation
    }
}

/// Stores a conversation of an account. Returns the id of its thread.
pub async fn store(instance: &Instance, account_id: &str, conversation: &Conversation) -> String {
    let (account_id, conversation) = (account_id.to_owned(), conversation.clone());
    let written = instance.context.store.write(move |tx| {
        let (account_id, conversation) = (account_id.clone(), conversation.clone());
        async move {
            let account = accounts::Entity::find_by_id(account_id).one(tx).await?;
            let account = account.expect("an account");
            let row = InboxRow {
                conversation_id: conversation.id.clone(),
                update_time: None,
                description: String::new(),
                unread: conversation.unread,
                person: conversation.person.clone(),
            };
            store_in(tx, &account, Some(&row), None, &conversation).await
        }
        .boxed()
    });
    written.await.expect("is stored").thread_id
}

/// Returns a connection of another workspace of the same instance.
pub async fn stranger(instance: &Instance) -> Connection {
    let id = instance.context.ids.id();
    let writer = instance.context.store.writer();
    for statement in [
        format!("INSERT INTO workspaces (id, name, create_time) VALUES ('{id}', 'stranger', 0)"),
        format!("INSERT INTO event_heads (workspace_id, sequence, floor) VALUES ('{id}', 0, 0)"),
    ] {
        writer.execute_unprepared(&statement).await.expect("is written");
    }
    let token = identity::first_token(&instance.context, &id)
        .await
        .expect("a token");
    instance.connect_as(Some(token.expose())).await
}
