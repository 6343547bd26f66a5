//! Threads for tests, as an inbox sync stores them.

use futures::FutureExt as _;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use vintedbot_domain::accounts::Account;
use vintedbot_domain::events::{Kind, PendingEvent};
use vintedbot_domain::inbox::{Author, Content, Label, Mark, MessageKind, ReplyState, Thread};
use vintedbot_domain::store::entities::{messages, people, replies, threads};
use vintedbot_marketplace::{Money, Transaction};

use crate::support::{START, World};

/// The properties of a thread.
#[derive(Clone, Debug, Default)]
pub struct ThreadSpec<'a> {
    /// The id on the site. Empty: a new unique id.
    pub remote_id: &'a str,
    pub member_id: &'a str,
    /// Milliseconds after the start.
    pub time: i64,
    pub unread: bool,
    pub waiting: bool,
    /// Whether the first message is an offer.
    pub offer: bool,
    pub messages: i64,
    pub subject: &'a str,
    pub price: Option<i64>,
}

/// Stores a thread and appends its event. Returns its id.
pub async fn store(world: &World, account: &Account, spec: &ThreadSpec<'_>) -> String {
    let context = &world.context;
    let id = context.ids.id();
    let person = people::Model {
        id: context.ids.id(),
        workspace_id: account.workspace_id.clone(),
        site: account.site.clone(),
        member_id: spec.member_id.to_owned(),
        login: spec.member_id.to_owned(),
        is_system: false,
        create_time: START,
    };
    let transaction = spec.price.map(|minor_units| Transaction {
        id: "1".to_owned(),
        price: Some(Money {
            minor_units,
            currency: "EUR".to_owned(),
        }),
        ..Transaction::default()
    });
    let row = threads::Model {
        id: id.clone(),
        workspace_id: account.workspace_id.clone(),
        account_id: account.id.clone(),
        site: account.site.clone(),
        remote_id: if spec.remote_id.is_empty() {
            id.clone()
        } else {
            spec.remote_id.to_owned()
        },
        person_id: String::new(),
        subject: spec.subject.to_owned(),
        listing_id: None,
        transaction_state: transaction.map(|one| serde_json::to_string(&one).expect("JSON")),
        snippet: String::new(),
        last_message_time: START + spec.time,
        unread_count: if spec.unread { spec.messages } else { 0 },
        unread: spec.unread,
        remote_unread: spec.unread,
        waiting_for_me: spec.waiting,
        has_offer: spec.offer,
        archived: false,
        snooze_until: None,
        labels: "[]".to_owned(),
        note: String::new(),
        draft_text: None,
        draft_version: 0,
        draft_time: None,
        reply_allowed: true,
        read_by_person: true,
        message_count: spec.messages,
        listed: None,
        create_time: START,
        update_time: START,
        delete_time: None,
        sequence: 0,
        removal_state: None,
        removal_number: 0,
        removal_hash: None,
        removal_reason: None,
        removal_message: None,
        removal_time: None,
    };
    let entries: Vec<_> = (1..=spec.messages)
        .map(|position| {
            let offer = Content::OfferRequest {
                offer_id: None,
                transaction_id: None,
                price: None,
                original_price: None,
                status: Some(10),
                current: true,
            };
            let is_offer = spec.offer && position == 1;
            messages::Model {
                id: context.ids.id(),
                workspace_id: row.workspace_id.clone(),
                account_id: row.account_id.clone(),
                thread_id: id.clone(),
                remote_key: format!("message:{position}"),
                remote_id: Some(position.to_string()),
                kind: if is_offer {
                    MessageKind::OfferRequest
                } else {
                    MessageKind::Message
                },
                author: Author::Person,
                text: format!("Message {position}"),
                content: is_offer.then(|| serde_json::to_string(&offer).expect("JSON")),
                attachments: "[]".to_owned(),
                time: START + position,
                position,
                read: !spec.unread,
                hidden: false,
                reply_id: None,
                sequence: 0,
            }
        })
        .collect();
    let written = context.store.write(move |tx| {
        let (mut row, person, entries) = (row.clone(), person.clone(), entries.clone());
        async move {
            let known = people::Entity::find()
                .filter(people::Column::WorkspaceId.eq(person.workspace_id.as_str()))
                .filter(people::Column::MemberId.eq(person.member_id.as_str()))
                .one(tx)
                .await?;
            let person = match known {
                Some(known) => known,
                None => {
                    let insert = people::Entity::insert(person.clone().into_active_model());
                    insert.exec_without_returning(tx).await?;
                    person
                }
            };
            row.person_id.clone_from(&person.id);
            threads::Entity::insert(row.clone().into_active_model())
                .exec_without_returning(tx)
                .await?;
            for entry in entries {
                messages::Entity::insert(entry.into_active_model())
                    .exec_without_returning(tx)
                    .await?;
            }
            tx.emit(PendingEvent::changed(
                Kind::ThreadCreated,
                &Thread::of(row, person),
            )?);
            Ok(())
        }
        .boxed()
    });
    written.await.expect("is written");
    id
}

/// Changes the row of a thread, as an inbox sync would.
pub async fn touch(world: &World, id: &str, change: impl Fn(&mut threads::Model)) {
    let writer = world.context.store.writer();
    let row = threads::Entity::find_by_id(id).one(writer).await.expect("reads");
    let mut row = row.expect("is there");
    change(&mut row);
    threads::Entity::update(row.into_active_model().reset_all())
        .exec(writer)
        .await
        .expect("is written");
}

/// Stores a reply that waits for its due time.
pub async fn reply(world: &World, thread_id: &str) -> replies::Model {
    let writer = world.context.store.writer();
    let thread = threads::Entity::find_by_id(thread_id)
        .one(writer)
        .await
        .expect("reads");
    let thread = thread.expect("is there");
    let row = replies::Model {
        id: world.context.ids.id(),
        workspace_id: thread.workspace_id,
        account_id: thread.account_id,
        thread_id: thread.id,
        site: thread.site,
        state: ReplyState::Queued,
        text: "Yes".to_owned(),
        photo_ids: "[]".to_owned(),
        content_hash: String::new(),
        number: 1,
        manual: false,
        prepare_number: 1,
        send_time: Some(START),
        confirm_expire_time: None,
        confirm_time: None,
        requires_action: false,
        reason: None,
        message: None,
        attempts: 0,
        message_id: None,
        create_time: START,
        update_time: START,
        end_time: None,
        sequence: 0,
    };
    replies::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(writer)
        .await
        .expect("is written");
    row
}

/// Ends a reply.
pub async fn end(world: &World, reply: replies::Model) {
    let ended = replies::Model {
        end_time: Some(START),
        ..reply
    };
    replies::Entity::update(ended.into_active_model().reset_all())
        .exec(world.context.store.writer())
        .await
        .expect("is written");
}

pub fn mark(ids: &[&str], unread: bool) -> Mark {
    Mark {
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        unread,
        request_id: None,
    }
}

pub fn label(ids: &[&str], add: &[&str], remove: &[&str]) -> Label {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
    Label {
        ids: owned(ids),
        add: owned(add),
        remove: owned(remove),
        request_id: None,
    }
}

pub async fn world_with(spec: &[ThreadSpec<'_>]) -> (World, Account, Vec<String>) {
    let (world, account) = World::with_account().await;
    let mut ids = Vec::new();
    for one in spec {
        ids.push(store(&world, &account, one).await);
    }
    (world, account, ids)
}
