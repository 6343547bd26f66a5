//! Changes that callers make to threads.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_domain::events::Kind;
use vintedbot_domain::inbox::{self, Archive, Author, Note, SaveDraft, Snooze};
use vintedbot_domain::store::entities::{jobs, messages, thread_labels, threads};
use vintedbot_domain::{Reason, accounts};

use crate::conversations::{self, ThreadSpec, label, mark, world_with};
use crate::support::{START, World, page, reason, request_id, violated};

/// Returns the event kinds after the first `before` events, without those about messages.
async fn news(world: &World, before: usize) -> Vec<Kind> {
    let events = world.events().await;
    events[before..].iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn marking_read_has_one_event_and_syncs_to_the_site() {
    let (world, _, ids) = world_with(&[
        ThreadSpec {
            messages: 2,
            unread: true,
            ..ThreadSpec::default()
        },
        ThreadSpec {
            messages: 1,
            ..ThreadSpec::default()
        },
    ])
    .await;
    let (context, caller, both) = (&world.context, &world.caller, [ids[0].as_str(), ids[1].as_str()]);
    let before = world.events().await.len();
    let threads = inbox::mark(context, caller, mark(&[both[1], both[0], both[1]], false))
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
        .all(context.store.reader())
        .await
        .expect("messages");
    assert!(stored.iter().all(|message| message.read));
    let queued = jobs::Entity::find()
        .filter(jobs::Column::Kind.eq(vintedbot_domain::jobs::Kind::MarkThreadRead))
        .all(context.store.reader())
        .await
        .expect("jobs");
    let subjects: Vec<_> = queued
        .iter()
        .filter_map(|job| job.subject_id.as_deref())
        .collect();
    assert_eq!(subjects, [both[0]]);

    inbox::mark(context, caller, mark(&both, false))
        .await
        .expect("changes nothing");
    assert_eq!(news(&world, before).await.len(), 3);
    let unread = inbox::mark(context, caller, mark(&[both[0]], true))
        .await
        .expect("is marked");
    assert!(unread[0].unread && unread[0].unread_count == 0);
}

#[tokio::test]
async fn batch_thread_change_is_atomic() {
    let (world, _, ids) = world_with(&[ThreadSpec::default(), ThreadSpec::default()]).await;
    let (context, caller) = (&world.context, &world.caller);
    let before = world.events().await.len();
    let unknown = context.ids.id();
    let refused = inbox::mark(context, caller, mark(&[&ids[0], &unknown], true)).await;
    assert_eq!(reason(refused), Some(Reason::NotFound));
    let crowd: Vec<String> = (0..20).map(|at| format!("label {at:02}")).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    inbox::label(context, caller, label(&[&ids[1]], &crowd, &[]))
        .await
        .expect("twenty fit");
    let refused = inbox::label(context, caller, label(&[&ids[0], &ids[1]], &["one more"], &[])).await;
    assert_eq!(violated(refused), ["add"]);
    let thread = inbox::get(context, caller, &ids[0]).await.expect("is there");
    assert!(!thread.unread && thread.labels.is_empty());
    assert_eq!(news(&world, before).await, [Kind::ThreadUpdated]);
    for count in [0, 201] {
        let many = vec![ids[0].as_str(); count];
        assert_eq!(
            violated(inbox::mark(context, caller, mark(&many, true)).await),
            ["ids"]
        );
    }
}

#[tokio::test]
async fn labels_filter_threads_and_disappear_when_removed() {
    let (world, _, ids) = world_with(&[ThreadSpec::default()]).await;
    let (context, caller, id) = (&world.context, &world.caller, ids[0].as_str());
    let threads = inbox::label(
        context,
        caller,
        label(&[id], &[" zebra ", "apple", "apple"], &["nowhere"]),
    )
    .await
    .expect("is labelled");
    assert_eq!(threads[0].labels, ["apple", "zebra"]);
    let before = world.events().await.len();
    inbox::label(context, caller, label(&[id], &["apple"], &["nowhere"]))
        .await
        .expect("changes nothing");
    assert_eq!(world.events().await.len(), before);
    inbox::label(context, caller, label(&[id], &["mango"], &["zebra"]))
        .await
        .expect("is labelled");
    let mut rows: Vec<_> = thread_labels::Entity::find()
        .all(context.store.reader())
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
        violated(inbox::label(context, caller, wrong).await),
        ["add[0]", "add[1]", "add[2]", "add[3]"]
    );
    assert_eq!(
        violated(inbox::label(context, caller, label(&[id], &[], &[])).await),
        ["add"]
    );
}

#[tokio::test]
async fn draft_conflict_is_not_overwritten() {
    let (world, _, ids) = world_with(&[ThreadSpec::default()]).await;
    let (context, caller) = (&world.context, &world.caller);
    let save = |text: &str, expected_version| SaveDraft {
        thread_id: ids[0].clone(),
        text: text.to_owned(),
        expected_version,
    };
    let before = world.events().await.len();
    let draft = inbox::save_draft(context, caller, save("Hel", 0))
        .await
        .expect("is saved");
    assert_eq!((draft.text.as_str(), draft.version), ("Hel", 1));
    let again = inbox::save_draft(context, caller, save("Hel", 0))
        .await
        .expect("is there already");
    assert_eq!(again, draft);
    let refused = inbox::save_draft(context, caller, save("other device", 0))
        .await
        .expect_err("is refused");
    let vintedbot_domain::Error::Rejected(rejection) = refused else {
        panic!("{refused}")
    };
    assert_eq!(
        (rejection.reason, rejection.metadata["version"].as_str()),
        (Reason::DraftConflict, "1")
    );
    let thread = inbox::get(context, caller, &ids[0]).await.expect("is there");
    assert_eq!(thread.draft, draft);
    let thrown = inbox::save_draft(context, caller, save("", 1))
        .await
        .expect("is thrown away");
    assert_eq!((thrown.text.as_str(), thrown.version), ("", 2));
    assert_eq!(
        news(&world, before).await,
        [Kind::ThreadDraftSaved, Kind::ThreadDraftSaved]
    );
    assert_eq!(
        violated(inbox::save_draft(context, caller, save(&"x".repeat(4001), 2)).await),
        ["text"]
    );
    assert_eq!(
        violated(inbox::save_draft(context, caller, save("a\0b", 2)).await),
        ["text"]
    );
}

#[tokio::test]
async fn thread_is_archived_or_snoozed_never_both() {
    let (world, _, ids) = world_with(&[ThreadSpec::default()]).await;
    let (context, caller) = (&world.context, &world.caller);
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
    inbox::archive(context, caller, archive.clone())
        .await
        .expect("is archived");
    let thread = inbox::snooze(context, caller, snooze(Some(START + 1)))
        .await
        .expect("is snoozed");
    assert!(!thread.archived && thread.snooze_until.is_some());
    let counts = inbox::counts(context, caller).await.expect("counts");
    assert_eq!((counts.total.threads, counts.archived, counts.snoozed), (0, 0, 1));
    let threads = inbox::archive(context, caller, archive)
        .await
        .expect("is archived");
    assert!(threads[0].archived && threads[0].snooze_until.is_none());
    let thread = inbox::snooze(context, caller, snooze(None))
        .await
        .expect("changes nothing");
    assert!(thread.archived);
    for wrong in [START, START - 1, START + 367 * 24 * 3_600_000, i64::MAX] {
        assert_eq!(
            violated(inbox::snooze(context, caller, snooze(Some(wrong))).await),
            ["snooze_time"]
        );
    }
}

#[tokio::test]
async fn thread_with_an_open_reply_is_not_deleted() {
    let (world, _, ids) = world_with(&[ThreadSpec {
        messages: 1,
        ..ThreadSpec::default()
    }])
    .await;
    let (context, caller, id) = (&world.context, &world.caller, ids[0].as_str());
    let reply = conversations::reply(&world, id).await;
    assert_eq!(
        reason(inbox::delete(context, caller, id, None).await),
        Some(Reason::ReplyOpen)
    );
    let open = inbox::open_replies(context, caller, &page(0, ""))
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
        inbox::delete(context, caller, id, once.clone())
            .await
            .expect("is hidden");
    }
    assert_eq!(news(&world, before).await, [Kind::ThreadDeleted]);
    assert_eq!(
        reason(inbox::get(context, caller, id).await),
        Some(Reason::NotFound)
    );
    let messages = inbox::list_messages(context, caller, id, false, &page(0, "")).await;
    assert_eq!(reason(messages), Some(Reason::NotFound));
    assert_eq!(
        reason(inbox::mark(context, caller, mark(&[id], true)).await),
        Some(Reason::NotFound)
    );
    assert_eq!(
        reason(inbox::delete(context, caller, id, None).await),
        Some(Reason::NotFound)
    );
    assert!(
        inbox::list_all(context, caller, &page(0, ""))
            .await
            .expect("a list")
            .items
            .is_empty()
    );
    assert!(
        threads::Entity::find_by_id(id)
            .one(context.store.reader())
            .await
            .expect("a row")
            .is_some()
    );
}

#[tokio::test]
async fn repeated_thread_change_is_idempotent() {
    let (world, _, ids) = world_with(&[ThreadSpec::default()]).await;
    let (context, caller) = (&world.context, &world.caller);
    let note = |text: &str, request_id: &Option<String>| Note {
        id: ids[0].clone(),
        note: text.to_owned(),
        request_id: request_id.clone(),
    };
    let (first, second) = (request_id(), request_id());
    inbox::set_note(context, caller, note("one", &first))
        .await
        .expect("is noted");
    inbox::set_note(context, caller, note("two", &second))
        .await
        .expect("is noted");
    let thread = inbox::set_note(context, caller, note("one", &first))
        .await
        .expect("was done");
    assert_eq!(thread.note, "two");
    let refused = inbox::set_note(context, caller, note("three", &first)).await;
    assert_eq!(reason(refused), Some(Reason::RequestIdReused));
}

#[tokio::test]
async fn account_deletion_deletes_its_inbox() {
    let (world, account, ids) = world_with(&[ThreadSpec {
        messages: 2,
        offer: true,
        ..ThreadSpec::default()
    }])
    .await;
    let (context, caller) = (&world.context, &world.caller);
    inbox::label(context, caller, label(&[&ids[0]], &["vip"], &[]))
        .await
        .expect("is labelled");
    let reply = conversations::reply(&world, &ids[0]).await;
    let refused = accounts::delete(context, caller, &account.id, None).await;
    assert_eq!(reason(refused), Some(Reason::ReplyOpen));
    conversations::end(&world, reply).await;
    let before = world.events().await.len();
    accounts::delete(context, caller, &account.id, None)
        .await
        .expect("goes");
    assert_eq!(
        news(&world, before).await,
        [Kind::ThreadDeleted, Kind::AccountDeleted]
    );
    let reader = context.store.reader();
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
