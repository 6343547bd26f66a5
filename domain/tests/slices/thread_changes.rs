//! What is done to threads here.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_domain::events::Kind;
use vintedbot_domain::inbox::{self, Archive, Author, Note, SaveDraft, Snooze};
use vintedbot_domain::store::entities::{jobs, messages, thread_labels, threads};
use vintedbot_domain::{Reason, accounts};

use crate::conversations::{self, Told, label, mark, world_with};
use crate::support::{START, World, page, reason, request_id, violated};

/// What happened since `before` events, without what was said of messages.
async fn news(world: &World, before: usize) -> Vec<Kind> {
    let events = world.events().await;
    events[before..].iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn reading_a_thread_is_told_of_once_and_sent_to_the_site_where_it_was_unread_there() {
    let (world, _, ids) = world_with(&[
        Told {
            messages: 2,
            unread: true,
            ..Told::default()
        },
        Told {
            messages: 1,
            ..Told::default()
        },
    ])
    .await;
    let (domain, caller, both) = (&world.domain, &world.caller, [ids[0].as_str(), ids[1].as_str()]);
    let before = world.events().await.len();
    let threads = inbox::mark(domain, caller, mark(&[both[1], both[0], both[1]], false))
        .await
        .expect("is marked");
    assert_eq!(
        threads.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        [both[1], both[0], both[1]]
    );
    assert!(
        threads
            .iter()
            .all(|thread| !thread.unread && thread.unread_count == 0)
    );
    assert_eq!(
        news(&world, before).await,
        [Kind::MessageUpdated, Kind::MessageUpdated, Kind::ThreadUpdated]
    );
    let stored = messages::Entity::find()
        .filter(messages::Column::Author.eq(Author::Person))
        .all(domain.store.reader())
        .await
        .expect("messages");
    assert!(stored.iter().all(|message| message.read));
    let queued = jobs::Entity::find()
        .filter(jobs::Column::Kind.eq(vintedbot_domain::jobs::Kind::MarkThreadRead))
        .all(domain.store.reader())
        .await
        .expect("jobs");
    let subjects: Vec<_> = queued
        .iter()
        .filter_map(|job| job.subject_id.as_deref())
        .collect();
    assert_eq!(subjects, [both[0]]);

    inbox::mark(domain, caller, mark(&both, false))
        .await
        .expect("changes nothing");
    assert_eq!(news(&world, before).await.len(), 3);
    let unread = inbox::mark(domain, caller, mark(&[both[0]], true))
        .await
        .expect("is marked");
    assert!(unread[0].unread && unread[0].unread_count == 0);
}

#[tokio::test]
async fn of_many_threads_all_change_or_none() {
    let (world, _, ids) = world_with(&[Told::default(), Told::default()]).await;
    let (domain, caller) = (&world.domain, &world.caller);
    let before = world.events().await.len();
    let unknown = domain.ids.id();
    let refused = inbox::mark(domain, caller, mark(&[&ids[0], &unknown], true)).await;
    assert_eq!(reason(refused), Some(Reason::NotFound));
    let crowd: Vec<String> = (0..20).map(|at| format!("label {at:02}")).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    inbox::label(domain, caller, label(&[&ids[1]], &crowd, &[]))
        .await
        .expect("twenty fit");
    let refused = inbox::label(domain, caller, label(&[&ids[0], &ids[1]], &["one more"], &[])).await;
    assert_eq!(violated(refused), ["add"]);
    let thread = inbox::get(domain, caller, &ids[0]).await.expect("is there");
    assert!(!thread.unread && thread.labels.is_empty());
    assert_eq!(news(&world, before).await, [Kind::ThreadUpdated]);
    for count in [0, 201] {
        let many = vec![ids[0].as_str(); count];
        assert_eq!(
            violated(inbox::mark(domain, caller, mark(&many, true)).await),
            ["ids"]
        );
    }
}

#[tokio::test]
async fn labels_are_found_by_where_they_are_and_gone_where_they_are_not() {
    let (world, _, ids) = world_with(&[Told::default()]).await;
    let (domain, caller, id) = (&world.domain, &world.caller, ids[0].as_str());
    let threads = inbox::label(
        domain,
        caller,
        label(&[id], &[" zebra ", "apple", "apple"], &["nowhere"]),
    )
    .await
    .expect("is labelled");
    assert_eq!(threads[0].labels, ["apple", "zebra"]);
    let before = world.events().await.len();
    inbox::label(domain, caller, label(&[id], &["apple"], &["nowhere"]))
        .await
        .expect("changes nothing");
    assert_eq!(world.events().await.len(), before);
    inbox::label(domain, caller, label(&[id], &["mango"], &["zebra"]))
        .await
        .expect("is labelled");
    let mut rows: Vec<_> = thread_labels::Entity::find()
        .all(domain.store.reader())
        .await
        .expect("labels")
        .into_iter()
        .map(|row| row.label)
        .collect();
    rows.sort();
    assert_eq!(rows, ["apple", "mango"]);
    let long = "x".repeat(51);
    let wrong = label(&[id], &["", &long, "a\nb", "both"], &["both"]);
    assert_eq!(
        violated(inbox::label(domain, caller, wrong).await),
        ["add[0]", "add[1]", "add[2]", "add[3]"]
    );
    assert_eq!(
        violated(inbox::label(domain, caller, label(&[id], &[], &[])).await),
        ["add"]
    );
}

#[tokio::test]
async fn a_draft_is_not_overwritten_unseen() {
    let (world, _, ids) = world_with(&[Told::default()]).await;
    let (domain, caller) = (&world.domain, &world.caller);
    let save = |text: &str, expected_version| SaveDraft {
        thread_id: ids[0].clone(),
        text: text.to_owned(),
        expected_version,
    };
    let before = world.events().await.len();
    let draft = inbox::save_draft(domain, caller, save("Hel", 0))
        .await
        .expect("is saved");
    assert_eq!((draft.text.as_str(), draft.version), ("Hel", 1));
    let again = inbox::save_draft(domain, caller, save("Hel", 0))
        .await
        .expect("is there already");
    assert_eq!(again, draft);
    let refused = inbox::save_draft(domain, caller, save("other device", 0))
        .await
        .expect_err("is refused");
    let vintedbot_domain::Error::Rejected(rejection) = refused else {
        panic!("{refused}")
    };
    assert_eq!(
        (rejection.reason, rejection.metadata["version"].as_str()),
        (Reason::DraftConflict, "1")
    );
    let thread = inbox::get(domain, caller, &ids[0]).await.expect("is there");
    assert_eq!(thread.draft, draft);
    let thrown = inbox::save_draft(domain, caller, save("", 1))
        .await
        .expect("is thrown away");
    assert_eq!((thrown.text.as_str(), thrown.version), ("", 2));
    assert_eq!(
        news(&world, before).await,
        [Kind::ThreadDraftSaved, Kind::ThreadDraftSaved]
    );
    assert_eq!(
        violated(inbox::save_draft(domain, caller, save(&"x".repeat(4001), 2)).await),
        ["text"]
    );
    assert_eq!(
        violated(inbox::save_draft(domain, caller, save("a\0b", 2)).await),
        ["text"]
    );
}

#[tokio::test]
async fn a_thread_is_in_the_archive_or_put_away_never_both() {
    let (world, _, ids) = world_with(&[Told::default()]).await;
    let (domain, caller) = (&world.domain, &world.caller);
    let snooze = |until| Snooze {
        id: ids[0].clone(),
        until,
        request_id: None,
    };
    let archive = Archive {
        ids: ids.clone(),
        unarchive: false,
        request_id: None,
    };
    inbox::archive(domain, caller, archive.clone())
        .await
        .expect("is archived");
    let thread = inbox::snooze(domain, caller, snooze(Some(START + 1)))
        .await
        .expect("is put away");
    assert!(!thread.archived && thread.snooze_until.is_some());
    let counts = inbox::counts(domain, caller).await.expect("counts");
    assert_eq!((counts.total.threads, counts.archived, counts.snoozed), (0, 0, 1));
    let threads = inbox::archive(domain, caller, archive)
        .await
        .expect("is archived");
    assert!(threads[0].archived && threads[0].snooze_until.is_none());
    let thread = inbox::snooze(domain, caller, snooze(None))
        .await
        .expect("changes nothing");
    assert!(thread.archived);
    for wrong in [START, START - 1, START + 367 * 24 * 3_600_000, i64::MAX] {
        assert_eq!(
            violated(inbox::snooze(domain, caller, snooze(Some(wrong))).await),
            ["snooze_time"]
        );
    }
}

#[tokio::test]
async fn a_deleted_thread_is_nowhere_and_none_goes_while_a_reply_is_on_its_way() {
    let (world, _, ids) = world_with(&[Told {
        messages: 1,
        ..Told::default()
    }])
    .await;
    let (domain, caller, id) = (&world.domain, &world.caller, ids[0].as_str());
    let reply = conversations::reply(&world, id).await;
    assert_eq!(
        reason(inbox::delete(domain, caller, id, None).await),
        Some(Reason::ReplyOpen)
    );
    let open = inbox::open_replies(domain, caller, &page(0, ""))
        .await
        .expect("replies");
    assert_eq!(
        open.items.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        [reply.id.as_str()]
    );
    conversations::end(&world, reply).await;
    let before = world.events().await.len();
    let once = request_id();
    for _ in 0..2 {
        inbox::delete(domain, caller, id, once.clone())
            .await
            .expect("is hidden");
    }
    assert_eq!(news(&world, before).await, [Kind::ThreadDeleted]);
    assert_eq!(
        reason(inbox::get(domain, caller, id).await),
        Some(Reason::NotFound)
    );
    let messages = inbox::list_messages(domain, caller, id, false, &page(0, "")).await;
    assert_eq!(reason(messages), Some(Reason::NotFound));
    assert_eq!(
        reason(inbox::mark(domain, caller, mark(&[id], true)).await),
        Some(Reason::NotFound)
    );
    assert_eq!(
        reason(inbox::delete(domain, caller, id, None).await),
        Some(Reason::NotFound)
    );
    assert!(
        inbox::list_all(domain, caller, &page(0, ""))
            .await
            .expect("a list")
            .items
            .is_empty()
    );
    assert!(
        threads::Entity::find_by_id(id)
            .one(domain.store.reader())
            .await
            .expect("a row")
            .is_some()
    );
}

#[tokio::test]
async fn a_repeated_call_changes_nothing_and_another_with_its_request_id_is_refused() {
    let (world, _, ids) = world_with(&[Told::default()]).await;
    let (domain, caller) = (&world.domain, &world.caller);
    let note = |text: &str, request_id: &Option<String>| Note {
        id: ids[0].clone(),
        note: text.to_owned(),
        request_id: request_id.clone(),
    };
    let (first, second) = (request_id(), request_id());
    inbox::set_note(domain, caller, note("one", &first))
        .await
        .expect("is noted");
    inbox::set_note(domain, caller, note("two", &second))
        .await
        .expect("is noted");
    let thread = inbox::set_note(domain, caller, note("one", &first))
        .await
        .expect("was done");
    assert_eq!(thread.note, "two");
    let refused = inbox::set_note(domain, caller, note("three", &first)).await;
    assert_eq!(reason(refused), Some(Reason::RequestIdReused));
}

#[tokio::test]
async fn an_account_takes_its_inbox_with_it() {
    let (world, account, ids) = world_with(&[Told {
        messages: 2,
        offer: true,
        ..Told::default()
    }])
    .await;
    let (domain, caller) = (&world.domain, &world.caller);
    inbox::label(domain, caller, label(&[&ids[0]], &["vip"], &[]))
        .await
        .expect("is labelled");
    let reply = conversations::reply(&world, &ids[0]).await;
    let refused = accounts::delete(domain, caller, &account.id, None).await;
    assert_eq!(reason(refused), Some(Reason::ReplyOpen));
    conversations::end(&world, reply).await;
    let before = world.events().await.len();
    accounts::delete(domain, caller, &account.id, None)
        .await
        .expect("goes");
    assert_eq!(
        news(&world, before).await,
        [Kind::ThreadDeleted, Kind::AccountDeleted]
    );
    let reader = domain.store.reader();
    assert!(
        threads::Entity::find()
            .all(reader)
            .await
            .expect("threads")
            .is_empty()
    );
    assert!(
        messages::Entity::find()
            .all(reader)
            .await
            .expect("messages")
            .is_empty()
    );
}
