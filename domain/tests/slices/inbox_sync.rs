//! Conversations from the site: stored rows, written events and retention.

use futures::FutureExt;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder};
use vintedbot_domain::accounts::Account;
use vintedbot_domain::events::Kind;
use vintedbot_domain::inbox::sync::{Stored, store_in};
use vintedbot_domain::inbox::{Attachment, AttachmentState, Author, Content, MessageKind};
use vintedbot_domain::store::entities::{accounts as account_rows, messages, people, threads};
use vintedbot_marketplace::{
    Conversation, Counterparty, Entry, EntryContent, InboxRow, Money, Side, Transaction,
};

use super::support::{START, World};

const ME: &str = "100";
pub const BUYER: &str = "200";

/// Returns a world with an account whose member is known.
pub async fn world() -> (World, Account) {
    let (world, account) = World::with_account().await;
    assert!(world.set_member(&account.id, ME).await);
    (world, account)
}

fn buyer() -> Counterparty {
    Counterparty {
        member_id: BUYER.to_owned(),
        login: "buyer".to_owned(),
        is_system: false,
    }
}

pub fn row(update_time: i64, unread: bool) -> InboxRow {
    InboxRow {
        conversation_id: "9".to_owned(),
        update_time: Some(update_time),
        description: "Hello".to_owned(),
        unread,
        person: Some(buyer()),
    }
}

fn euros(minor_units: i64) -> Option<Money> {
    Some(Money {
        minor_units,
        currency: "EUR".to_owned(),
    })
}

pub fn entry(member: Option<&str>, time: i64, id: Option<&str>, content: EntryContent) -> Entry {
    Entry {
        remote_id: id.map(str::to_owned),
        member_id: member.map(str::to_owned),
        time: Some(START + time),
        content,
        hidden: false,
    }
}

pub fn message_entry(member: &str, time: i64, id: &str, body: &str) -> Entry {
    let content = EntryContent::Message {
        body: body.to_owned(),
        photo_urls: Vec::new(),
    };
    entry(Some(member), time, Some(id), content)
}

fn offers(time: i64, id: &str, price: i64, status: i64) -> Entry {
    let content = EntryContent::OfferRequest {
        offer_id: Some(id.to_owned()),
        transaction_id: Some("55".to_owned()),
        price: euros(price),
        original_price: euros(2_000),
        status: Some(status),
        current: true,
    };
    entry(Some(BUYER), time, Some(id), content)
}

fn status(time: i64, title: &str) -> Entry {
    let content = EntryContent::Status {
        title: title.to_owned(),
        subtitle: "Soon".to_owned(),
    };
    entry(None, time, None, content)
}

pub fn conversation(unread: bool, entries: Vec<Entry>) -> Conversation {
    Conversation {
        id: "9".to_owned(),
        person: Some(buyer()),
        subtitle: "Pull vert".to_owned(),
        unread,
        reply_allowed: true,
        read_by_account: !unread,
        read_by_person: false,
        transaction: None,
        entries,
    }
}

pub async fn store(world: &World, account: &Account, row: Option<InboxRow>, read: &Conversation) -> Stored {
    let (id, read) = (account.id.clone(), read.clone());
    world
        .context
        .store
        .write(move |tx| {
            let (id, row, read) = (id.clone(), row.clone(), read.clone());
            async move {
                let account = account_rows::Entity::find_by_id(&id).one(tx).await?;
                let account = account.expect("an account");
                store_in(tx, &account, row.as_ref(), Some(START + 60_000), &read).await
            }
            .boxed()
        })
        .await
        .expect("is stored")
}

pub async fn thread(world: &World) -> threads::Model {
    let mut all = threads::Entity::find()
        .all(world.context.store.reader())
        .await
        .expect("threads");
    assert_eq!(all.len(), 1);
    all.remove(0)
}

pub async fn stored_messages(world: &World) -> Vec<messages::Model> {
    messages::Entity::find()
        .order_by_asc(messages::Column::Position)
        .all(world.context.store.reader())
        .await
        .expect("messages")
}

/// Returns the kinds of events after the first `count`.
pub async fn kinds_since(world: &World, count: usize) -> Vec<Kind> {
    let events = world.events().await;
    events.into_iter().skip(count).map(|event| event.kind).collect()
}

pub async fn count(world: &World) -> usize {
    world.events().await.len()
}

async fn set(world: &World, assignment: &str) {
    world
        .context
        .store
        .writer()
        .execute_unprepared(&format!("UPDATE threads SET {assignment}"))
        .await
        .expect("is set");
}

#[tokio::test]
async fn first_reading_is_history_with_one_event() {
    let (world, account) = world().await;
    let before = count(&world).await;
    let read = conversation(
        true,
        vec![
            message_entry(BUYER, 1_000, "1", "Hello"),
            message_entry(ME, 2_000, "2", "Hello!"),
            offers(3_000, "7", 1_500, 10),
            message_entry(BUYER, 4_000, "3", "Please,\n  it is  \n for my sister"),
            status(5_000, "Think of it"),
        ],
    );
    let stored = store(&world, &account, Some(row(START, true)), &read).await;
    assert!(stored.is_new);
    assert_eq!(stored.new_messages, 0);
    assert_eq!(kinds_since(&world, before).await, [Kind::ThreadCreated]);
    let thread = thread(&world).await;
    assert_eq!((thread.unread, thread.unread_count), (true, 2));
    assert!(thread.waiting_for_me && thread.has_offer && thread.reply_allowed);
    assert_eq!(thread.snippet, "Think of it Soon");
    assert_eq!(thread.subject, "Pull vert");
    assert_eq!(thread.message_count, 5);
    assert_eq!(thread.last_message_time, START + 5_000);
    let messages = stored_messages(&world).await;
    let seen: Vec<_> = messages
        .iter()
        .map(|row| (row.position, row.author, row.kind, row.read, row.sequence))
        .collect();
    assert_eq!(
        seen,
        [
            (1, Author::Person, MessageKind::Message, true, 0),
            (2, Author::Account, MessageKind::Message, false, 0),
            (3, Author::Person, MessageKind::OfferRequest, false, 0),
            (4, Author::Person, MessageKind::Message, false, 0),
            (5, Author::Site, MessageKind::Status, true, 0),
        ]
    );
    assert_eq!(messages[2].text, "15,00\u{a0}€");
}

#[tokio::test]
async fn repeated_reading_writes_no_rows_and_no_events() {
    let (world, account) = world().await;
    let read = conversation(
        true,
        vec![
            message_entry(BUYER, 1_000, "1", "Hello"),
            status(1_000, "A"),
            status(1_000, "A"),
            Entry {
                time: None,
                ..status(0, "B")
            },
            offers(3_000, "7", 1_500, 10),
            offers(4_000, "7", 1_500, 20),
        ],
    );
    store(&world, &account, Some(row(START, true)), &read).await;
    let before = (
        thread(&world).await,
        stored_messages(&world).await,
        count(&world).await,
    );
    assert_eq!(before.1.len(), 5, "an offer is one message in every status");
    world.clock.advance(1_000_000);
    let stored = store(&world, &account, Some(row(START, true)), &read).await;
    assert_eq!((stored.is_new, stored.new_messages), (false, 0));
    let after = (
        thread(&world).await,
        stored_messages(&world).await,
        count(&world).await,
    );
    assert_eq!(before, after);
}

#[tokio::test]
async fn new_messages_have_events_and_unarchive_the_thread() {
    let (world, account) = world().await;
    let mut read = conversation(false, vec![message_entry(BUYER, 1_000, "1", "Hello")]);
    store(&world, &account, None, &read).await;
    set(&world, "archived = TRUE, snooze_until = 9, delete_time = 9").await;
    let before = count(&world).await;
    read.entries.push(message_entry(ME, 2_000, "2", "Yes?"));
    read.read_by_person = true;
    store(&world, &account, None, &read).await;
    let mine = thread(&world).await;
    assert!(mine.archived && mine.delete_time.is_some() && !mine.waiting_for_me);
    assert_eq!(count(&world).await, before, "a hidden thread has no events");

    read = conversation(true, read.entries);
    read.entries.push(message_entry(BUYER, 3_000, "3", "How long?"));
    read.entries.push(status(4_000, "Sold"));
    let stored = store(&world, &account, None, &read).await;
    assert_eq!((stored.is_new, stored.new_messages), (false, 2));
    assert_eq!(
        kinds_since(&world, before).await,
        [Kind::MessageReceived, Kind::MessageReceived, Kind::ThreadUpdated]
    );
    let theirs = thread(&world).await;
    assert!(!theirs.archived && theirs.snooze_until.is_none() && theirs.delete_time.is_none());
    assert!(theirs.unread && theirs.waiting_for_me);
    assert_eq!(theirs.unread_count, 1, "a notice of the site does not count");
    let messages = stored_messages(&world).await;
    assert!(messages[1].read && messages[2].sequence > 0 && !messages[2].read);
}

#[tokio::test]
async fn read_state_follows_the_site_except_local_marks() {
    let (world, account) = world().await;
    let unread = conversation(true, vec![message_entry(BUYER, 1_000, "1", "Hello")]);
    store(&world, &account, None, &unread).await;
    let read = conversation(false, unread.entries.clone());
    store(&world, &account, None, &read).await;
    let after = thread(&world).await;
    assert_eq!((after.unread, after.unread_count), (false, 0));
    assert!(stored_messages(&world).await[0].read);
    set(&world, "unread = TRUE").await;
    store(&world, &account, None, &read).await;
    assert!(thread(&world).await.unread, "the site has not changed its mind");
    // The counterparty reads our message.
    let mut read = conversation(false, vec![message_entry(ME, 2_000, "2", "Hi")]);
    store(&world, &account, None, &read).await;
    let before = count(&world).await;
    read.read_by_person = true;
    store(&world, &account, None, &read).await;
    assert_eq!(
        kinds_since(&world, before).await,
        [Kind::MessageUpdated, Kind::ThreadUpdated]
    );
}

#[tokio::test]
async fn answered_offer_updates_its_message_and_thread() {
    let (world, account) = world().await;
    let pending = conversation(false, vec![offers(1_000, "7", 1_500, 10)]);
    store(&world, &account, None, &pending).await;
    assert!(thread(&world).await.has_offer);
    let before = count(&world).await;
    let accepted = conversation(false, vec![offers(1_000, "7", 1_500, 20)]);
    let stored = store(&world, &account, None, &accepted).await;
    assert_eq!(stored.new_messages, 0);
    assert_eq!(
        kinds_since(&world, before).await,
        [Kind::MessageUpdated, Kind::ThreadUpdated]
    );
    assert!(!thread(&world).await.has_offer);
    assert_eq!(stored_messages(&world).await.len(), 1);
}

#[tokio::test]
async fn missing_or_emptied_entries_are_retained() {
    let (world, account) = world().await;
    let mut full = conversation(
        false,
        vec![
            message_entry(BUYER, 1_000, "1", "Hello"),
            offers(2_000, "7", 1_500, 10),
            status(3_000, "Sold"),
        ],
    );
    full.transaction = Some(Transaction {
        id: "55".to_owned(),
        status: Some(1),
        side: Some(Side::Seller),
        item_ids: vec!["70".to_owned()],
        item_title: "Pull bleu".to_owned(),
        price: euros(2_000),
        ..Transaction::default()
    });
    store(&world, &account, None, &full).await;
    let before = (
        thread(&world).await,
        stored_messages(&world).await,
        count(&world).await,
    );
    assert_eq!(before.0.subject, "Pull bleu");

    let mut emptied = conversation(false, vec![message_entry(BUYER, 1_000, "1", "")]);
    emptied.person = None;
    emptied.subtitle = String::new();
    emptied.transaction = Some(Transaction {
        id: "55".to_owned(),
        ..Transaction::default()
    });
    let content = EntryContent::OfferRequest {
        offer_id: None,
        transaction_id: None,
        price: None,
        original_price: None,
        status: None,
        current: true,
    };
    emptied
        .entries
        .push(entry(Some(BUYER), 2_000, Some("7"), content));
    store(&world, &account, None, &emptied).await;
    let after = (
        thread(&world).await,
        stored_messages(&world).await,
        count(&world).await,
    );
    assert_eq!(before, after);

    emptied.transaction = None;
    emptied.entries.clear();
    store(&world, &account, None, &emptied).await;
    let after = (
        thread(&world).await,
        stored_messages(&world).await,
        count(&world).await,
    );
    assert_eq!(before, after);

    // A message that the site hides is hidden here too.
    let mut hidden = message_entry(BUYER, 1_000, "1", "");
    hidden.hidden = true;
    store(&world, &account, None, &conversation(false, vec![hidden])).await;
    let messages = stored_messages(&world).await;
    assert_eq!((messages[0].text.as_str(), messages[0].hidden), ("", true));
}

#[tokio::test]
async fn unknown_kinds_bundles_and_strangers_are_stored() {
    let (world, account) = world().await;
    let unknown = EntryContent::Unknown {
        entity_type: "poll_message".to_owned(),
        json: r#"{"question":"?\u0000"}"#.to_owned(),
    };
    let mut read = conversation(
        false,
        vec![
            entry(None, 1_000, Some("1"), unknown.clone()),
            entry(Some("999"), 1_500, None, unknown),
            message_entry(BUYER, 2_000, "2", "nul\0 is no letter"),
        ],
    );
    read.person = None;
    read.transaction = Some(Transaction {
        id: "55".to_owned(),
        is_bundle: true,
        item_ids: vec!["70".to_owned(), "71".to_owned()],
        ..Transaction::default()
    });
    store(&world, &account, None, &read).await;
    let messages = stored_messages(&world).await;
    let content: Content =
        serde_json::from_str(messages[0].content.as_deref().expect("content")).expect("JSON");
    let Content::Unknown { entity_type, json } = content else {
        panic!("{content:?}")
    };
    assert_eq!(
        (entity_type.as_str(), json.contains("question")),
        ("poll_message", true)
    );
    assert_eq!(messages[2].text, "nul is no letter");
    let thread = thread(&world).await;
    assert_eq!(thread.listing_id, None);
    let unknown = people::Entity::find_by_id(thread.person_id)
        .one(world.context.store.reader())
        .await;
    assert_eq!(unknown.expect("reads").expect("is there").member_id, "");
}

#[tokio::test]
async fn counterparty_is_shared_by_accounts_with_newest_name() {
    let (world, account) = world().await;
    let other = world.account("Other shop").await;
    let read = conversation(false, vec![message_entry(BUYER, 1_000, "1", "Hello")]);
    store(&world, &account, None, &read).await;
    store(&world, &other, None, &read).await;
    let before = count(&world).await;
    let mut renamed = read.clone();
    renamed.person = Some(Counterparty {
        login: "buyer2".to_owned(),
        ..buyer()
    });
    store(&world, &other, None, &renamed).await;
    assert_eq!(kinds_since(&world, before).await, [Kind::ThreadUpdated]);
    let people = people::Entity::find()
        .all(world.context.store.reader())
        .await
        .expect("people");
    let names: Vec<_> = people.iter().map(|row| row.login.as_str()).collect();
    assert_eq!(names, ["buyer2"]);
}

#[tokio::test]
async fn row_of_the_current_second_stays_unread() {
    let (world, account) = world().await;
    let read = conversation(false, Vec::new());
    // The site's clock shows START + 60 s in each of these readings.
    store(&world, &account, Some(row(START + 59_000, false)), &read).await;
    assert_eq!(thread(&world).await.listed, None);
    store(&world, &account, Some(row(START + 58_000, false)), &read).await;
    let listed = thread(&world).await.listed.expect("is settled");
    let listed: InboxRow = serde_json::from_str(&listed).expect("a row");
    assert_eq!(listed, row(START + 58_000, false));
    store(&world, &account, None, &read).await;
    assert!(
        thread(&world).await.listed.is_some(),
        "a reading without a row keeps the stored row"
    );
}

#[tokio::test]
async fn photos_await_fetch_and_new_urls_are_no_change() {
    let (world, account) = world().await;
    let with = |urls: &[&str]| {
        let content = EntryContent::Message {
            body: String::new(),
            photo_urls: urls.iter().map(|url| (*url).to_owned()).collect(),
        };
        conversation(false, vec![entry(Some(BUYER), 1_000, Some("1"), content)])
    };
    store(&world, &account, None, &with(&["https://a/1?signed=1"])).await;
    let before = count(&world).await;
    store(&world, &account, None, &with(&["https://a/1?signed=2"])).await;
    assert_eq!(count(&world).await, before);
    let attachments = |row: &messages::Model| -> Vec<Attachment> {
        serde_json::from_str(&row.attachments).expect("attachments")
    };
    let waiting = attachments(&stored_messages(&world).await[0]);
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].state, waiting[0].url.as_str()),
        (AttachmentState::Pending, "https://a/1?signed=2")
    );
    store(&world, &account, None, &with(&[])).await;
    assert_eq!(attachments(&stored_messages(&world).await[0]), waiting);
}
