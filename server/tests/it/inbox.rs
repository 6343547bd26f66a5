//! Threads over the API.

use tonic::Code;
use tonic_types::StatusExt as _;
use vintedbot_proto::v1;
use vintedbot_proto::v1::inbox_service_client::InboxServiceClient;

use crate::conversations::{conversation, store, stranger};
use crate::harness::{self, Connection, Instance, reason};

type Client = InboxServiceClient<Connection>;

async fn client(instance: &Instance) -> Client {
    InboxServiceClient::new(instance.connect().await)
}

async fn list(client: &mut Client, request: v1::ListThreadsRequest) -> v1::ListThreadsResponse {
    client.list_threads(request).await.expect("lists").into_inner()
}

async fn remote_ids(client: &mut Client, request: v1::ListThreadsRequest) -> Vec<String> {
    let threads = list(client, request).await.threads;
    threads.into_iter().map(|thread| thread.remote_id).collect()
}

async fn get(client: &mut Client, id: &str) -> v1::Thread {
    let request = v1::GetThreadRequest { id: id.to_owned() };
    let answer = client.get_thread(request).await.expect("is there").into_inner();
    answer.thread.expect("a thread")
}

#[tokio::test]
async fn thread_shows_its_counterparty_messages_and_counts() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let id = store(&instance, &account.id, &conversation("9", "200", 3, 10)).await;
    let mut client = client(&instance).await;
    let thread = get(&mut client, &id).await;
    let person = thread.person.clone().expect("a person");
    assert_eq!(
        (person.login.as_str(), person.site.as_str()),
        ("member-200", "practice")
    );
    assert_eq!((thread.snippet.as_str(), thread.message_count), ("Message 3", 3));
    assert!(thread.unread && thread.waiting_for_me && thread.draft.is_none());
    assert_eq!(thread.item.expect("an item").title, "Blue coat");

    let messages = v1::ListMessagesRequest {
        thread_id: id.clone(),
        oldest_first: true,
        ..Default::default()
    };
    let messages = client.list_messages(messages).await.expect("lists").into_inner();
    let texts: Vec<_> = messages
        .messages
        .iter()
        .map(|message| message.text.as_str())
        .collect();
    assert_eq!(texts, ["Message 1", "Message 2", "Message 3"]);

    let page = v1::GetPersonRequest { id: person.id };
    let page = client.get_person(page).await.expect("is there").into_inner();
    assert_eq!(page.threads.iter().map(|one| &one.id).collect::<Vec<_>>(), [&id]);

    let counts = client
        .get_inbox_counts(v1::GetInboxCountsRequest {})
        .await
        .expect("counts")
        .into_inner();
    let total = counts.total.expect("a total");
    assert_eq!(
        (total.threads, total.unread_threads, total.waiting_for_me),
        (1, 1, 1)
    );
    assert_eq!(counts.accounts[0].account_id, account.id);
    instance.stop().await;
}

#[tokio::test]
async fn thread_of_another_workspace_is_not_found_by_any_call() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let id = store(&instance, &account.id, &conversation("9", "200", 1, 10)).await;
    let person = get(&mut client(&instance).await, &id)
        .await
        .person
        .expect("a person");
    let mut other = InboxServiceClient::new(stranger(&instance).await);
    let ids = vec![id.clone()];
    let answers = [
        other
            .get_thread(v1::GetThreadRequest { id: id.clone() })
            .await
            .map(drop),
        other
            .get_person(v1::GetPersonRequest { id: person.id })
            .await
            .map(drop),
        other
            .list_messages(v1::ListMessagesRequest {
                thread_id: id.clone(),
                ..Default::default()
            })
            .await
            .map(drop),
        other
            .mark_threads(v1::MarkThreadsRequest {
                ids: ids.clone(),
                ..Default::default()
            })
            .await
            .map(drop),
        other
            .archive_threads(v1::ArchiveThreadsRequest {
                ids: ids.clone(),
                ..Default::default()
            })
            .await
            .map(drop),
        other
            .label_threads(v1::LabelThreadsRequest {
                ids,
                add: vec!["x".into()],
                ..Default::default()
            })
            .await
            .map(drop),
        other
            .snooze_thread(v1::SnoozeThreadRequest {
                id: id.clone(),
                ..Default::default()
            })
            .await
            .map(drop),
        other
            .set_thread_note(v1::SetThreadNoteRequest {
                id: id.clone(),
                ..Default::default()
            })
            .await
            .map(drop),
        other
            .delete_thread(v1::DeleteThreadRequest {
                id: id.clone(),
                ..Default::default()
            })
            .await
            .map(drop),
        other
            .save_draft(v1::SaveDraftRequest {
                thread_id: id,
                text: "x".into(),
                expected_version: Some(0),
            })
            .await
            .map(drop),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let status = answer.expect_err("is refused");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::NotFound, "NOT_FOUND"),
            "{at}"
        );
    }
    assert!(
        list(&mut other, v1::ListThreadsRequest::default())
            .await
            .threads
            .is_empty()
    );
    instance.stop().await;
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let instance = harness::start().await;
    let mut client = client(&instance).await;
    let fields = |status: tonic::Status| {
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "VALIDATION_FAILED")
        );
        let request = status.get_details_bad_request().expect("violations");
        request
            .field_violations
            .into_iter()
            .map(|one| one.field)
            .collect::<Vec<_>>()
    };
    let some = instance.context.ids.id();
    let listing = v1::ListThreadsRequest {
        account_ids: vec![some.clone(), "7".into()],
        ..Default::default()
    };
    assert_eq!(
        fields(client.list_threads(listing).await.expect_err("a bad id")),
        ["account_ids[1]"]
    );
    let mark = v1::MarkThreadsRequest {
        ids: vec!["7".into(), some.clone()],
        request_id: "8".into(),
        unread: true,
    };
    assert_eq!(
        fields(client.mark_threads(mark).await.expect_err("bad ids")),
        ["ids[0]", "request_id"]
    );
    let none = v1::ArchiveThreadsRequest::default();
    assert_eq!(
        fields(client.archive_threads(none).await.expect_err("nothing named")),
        ["ids"]
    );
    let draft = v1::SaveDraftRequest {
        thread_id: String::new(),
        text: String::new(),
        expected_version: None,
    };
    assert_eq!(
        fields(client.save_draft(draft).await.expect_err("all absent")),
        ["thread_id", "expected_version"]
    );
    let label = v1::LabelThreadsRequest {
        ids: vec![some],
        add: vec!["ok".into(), "x".repeat(51), "tab\t".into(), String::new()],
        ..Default::default()
    };
    assert_eq!(
        fields(client.label_threads(label).await.expect_err("bad labels")),
        ["add[1]", "add[3]"]
    );
    instance.stop().await;
}

#[tokio::test]
async fn draft_conflict_names_the_stored_version() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let id = store(&instance, &account.id, &conversation("9", "200", 1, 10)).await;
    let mut client = client(&instance).await;
    let save = |text: &str, version| v1::SaveDraftRequest {
        thread_id: id.clone(),
        text: text.to_owned(),
        expected_version: Some(version),
    };
    for (text, version) in [("Hello", 0), ("Hello Anna", 1)] {
        let draft = client
            .save_draft(save(text, version))
            .await
            .expect("is saved")
            .into_inner()
            .draft;
        assert_eq!(draft.expect("a draft").version, version + 1);
    }
    let status = client
        .save_draft(save("Other words", 1))
        .await
        .expect_err("is refused");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Aborted, "DRAFT_CONFLICT")
    );
    assert_eq!(
        status.get_details_error_info().expect("a reason").metadata["version"],
        "2"
    );
    let draft = get(&mut client, &id).await.draft.expect("a draft");
    assert_eq!((draft.text.as_str(), draft.version), ("Hello Anna", 2));
    instance.stop().await;
}

#[tokio::test]
async fn filters_combine_and_pages_stay_stable_while_threads_move() {
    let instance = harness::start().await;
    let (one, two) = (
        instance.make_account("one").await,
        instance.make_account("two").await,
    );
    let mut ids = Vec::new();
    for number in 1..=4 {
        let spec = conversation(&number.to_string(), "200", 1, number * 10);
        ids.push(store(&instance, if number == 4 { &two.id } else { &one.id }, &spec).await);
    }
    let mut client = client(&instance).await;
    let all = v1::ListThreadsRequest::default;
    assert_eq!(remote_ids(&mut client, all()).await, ["4", "3", "2", "1"]);
    let of_one = v1::ListThreadsRequest {
        account_ids: vec![one.id.clone()],
        page_size: 2,
        ..all()
    };
    let first = list(&mut client, of_one.clone()).await;
    assert_eq!(
        first
            .threads
            .iter()
            .map(|one| one.remote_id.as_str())
            .collect::<Vec<_>>(),
        ["3", "2"]
    );
    // The last thread moves to the front before its page was read. It does not appear on the following page either.
    store(&instance, &one.id, &conversation("1", "200", 2, 99)).await;
    let next = v1::ListThreadsRequest {
        page_token: first.next_page_token.clone(),
        ..of_one.clone()
    };
    assert!(remote_ids(&mut client, next).await.is_empty());
    assert_eq!(remote_ids(&mut client, of_one.clone()).await, ["1", "3"]);
    let other = v1::ListThreadsRequest {
        unread: Some(true),
        page_token: first.next_page_token,
        ..of_one
    };
    let status = client.list_threads(other).await.expect_err("another list");
    assert_eq!(reason(&status), "PAGE_TOKEN_INVALID");

    let mark = v1::MarkThreadsRequest {
        ids: vec![ids[3].clone(), ids[0].clone()],
        ..Default::default()
    };
    let marked = client
        .mark_threads(mark)
        .await
        .expect("is marked")
        .into_inner()
        .threads;
    assert_eq!(
        marked
            .iter()
            .map(|one| one.remote_id.as_str())
            .collect::<Vec<_>>(),
        ["4", "1"]
    );
    let since = marked.iter().map(|thread| thread.sequence).max();
    assert_eq!(
        remote_ids(
            &mut client,
            v1::ListThreadsRequest {
                unread: Some(true),
                ..all()
            }
        )
        .await,
        ["3", "2"]
    );
    let archive = v1::ArchiveThreadsRequest {
        ids: vec![ids[2].clone()],
        ..Default::default()
    };
    client.archive_threads(archive).await.expect("is archived");
    let changed = v1::ListThreadsRequest {
        changed_since_sequence: since,
        ..all()
    };
    assert!(
        remote_ids(&mut client, changed.clone()).await.is_empty(),
        "archived ones are left out"
    );
    let archived = v1::ListThreadsRequest {
        archived: Some(true),
        ..changed
    };
    assert_eq!(remote_ids(&mut client, archived).await, ["3"]);
    // A new message of the counterparty unarchives the thread.
    store(&instance, &one.id, &conversation("3", "200", 2, 120)).await;
    assert_eq!(remote_ids(&mut client, all()).await, ["3", "1", "4", "2"]);
    instance.stop().await;
}

#[tokio::test]
async fn a_deleted_thread_comes_back_with_the_next_message() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let id = store(&instance, &account.id, &conversation("9", "200", 1, 10)).await;
    let mut client = client(&instance).await;
    let note = v1::SetThreadNoteRequest {
        id: id.clone(),
        note: "Nice".into(),
        ..Default::default()
    };
    client.set_thread_note(note).await.expect("is noted");
    let delete = v1::DeleteThreadRequest {
        id: id.clone(),
        ..Default::default()
    };
    client.delete_thread(delete.clone()).await.expect("is hidden");
    let status = client.delete_thread(delete).await.expect_err("is hidden");
    assert_eq!(reason(&status), "NOT_FOUND");
    store(&instance, &account.id, &conversation("9", "200", 1, 10)).await;
    assert!(
        list(&mut client, v1::ListThreadsRequest::default())
            .await
            .threads
            .is_empty()
    );
    store(&instance, &account.id, &conversation("9", "200", 2, 20)).await;
    let thread = get(&mut client, &id).await;
    assert_eq!((thread.note.as_str(), thread.message_count), ("Nice", 2));
    instance.stop().await;
}
