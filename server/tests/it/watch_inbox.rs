//! `Watch` and the inbox: the content of a snapshot, and filters by topic and thread.

use std::collections::HashSet;
use std::time::Duration;

use tonic::Streaming;
use vintedbot_domain::inbox::{self, NewTemplate};
use vintedbot_proto::v1;
use vintedbot_proto::v1::event_service_client::EventServiceClient;
use vintedbot_proto::v1::watch_response::Message;

use crate::conversations::{conversation, store};
use crate::harness::{self, Instance};

/// Far longer than any step here takes. Only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn watch(instance: &Instance, request: v1::WatchRequest) -> Streaming<v1::WatchResponse> {
    let mut client = EventServiceClient::new(instance.connect().await);
    client.watch(request).await.expect("begins").into_inner()
}

async fn next(stream: &mut Streaming<v1::WatchResponse>) -> Message {
    let message = tokio::time::timeout(PATIENCE, stream.message())
        .await
        .expect("a message in time");
    let message = message.expect("no error").expect("the stream continues");
    message.message.expect("says something")
}

/// Returns the ids of one resource type in a snapshot.
async fn snapshot(stream: &mut Streaming<v1::WatchResponse>, of: v1::ResourceType) -> HashSet<String> {
    let mut ids = HashSet::new();
    loop {
        match next(stream).await {
            Message::Snapshot(one) if one.resource_type() == of => {
                assert!(one.resource.is_some_and(|resource| resource.resource.is_some()));
                assert!(ids.insert(one.resource_id), "each comes once");
            }
            Message::Snapshot(_) => {}
            Message::SnapshotEnd(_) => return ids,
            other => panic!("{other:?}"),
        }
    }
}

async fn next_event(stream: &mut Streaming<v1::WatchResponse>) -> v1::Event {
    loop {
        if let Message::Event(event) = next(stream).await {
            return event;
        }
    }
}

#[tokio::test]
async fn inbox_snapshot_is_complete_and_events_follow_it() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let spec = conversation(&number.to_string(), "200", 2, 10 + number);
        ids.push(store(&instance, &account.id, &spec).await);
    }
    let (context, caller) = (&instance.context, instance.caller());
    inbox::delete(context, &caller, &ids[2], None)
        .await
        .expect("is hidden");
    let archive = inbox::Archive {
        ids: vec![ids[1].clone()],
        unarchive: false,
        request_id: None,
    };
    inbox::archive(context, &caller, archive)
        .await
        .expect("is archived");
    let new = NewTemplate {
        name: "Hi".into(),
        text: "Hi".into(),
        request_id: None,
    };
    let template = inbox::create_template(context, &caller, new)
        .await
        .expect("is made");

    let all = v1::WatchRequest {
        snapshot: true,
        ..Default::default()
    };
    let threads = snapshot(&mut watch(&instance, all.clone()).await, v1::ResourceType::Thread).await;
    assert_eq!(threads, HashSet::from([ids[0].clone(), ids[1].clone()]));
    let messages = snapshot(
        &mut watch(&instance, all.clone()).await,
        v1::ResourceType::Message,
    )
    .await;
    assert!(messages.is_empty(), "of no thread in particular");
    let templates = snapshot(
        &mut watch(&instance, all.clone()).await,
        v1::ResourceType::Template,
    )
    .await;
    assert_eq!(templates, HashSet::from([template.id]));

    let one = v1::WatchRequest {
        thread_ids: vec![ids[0].clone(), ids[2].clone()],
        topics: vec![v1::Topic::Inbox.into()],
        ..all
    };
    let threads = snapshot(&mut watch(&instance, one.clone()).await, v1::ResourceType::Thread).await;
    assert_eq!(threads, HashSet::from([ids[0].clone()]));
    let mut stream = watch(&instance, one).await;
    assert_eq!(snapshot(&mut stream, v1::ResourceType::Message).await.len(), 2);
    // The message of the other thread and a listing are filtered out.
    store(&instance, &account.id, &conversation("1", "200", 3, 11)).await;
    instance.make_listing(&account.id, "A thing").await;
    store(&instance, &account.id, &conversation("0", "200", 3, 10)).await;
    let event = next_event(&mut stream).await;
    assert_eq!(
        (event.kind(), event.thread_id.as_str()),
        (v1::EventKind::MessageReceived, ids[0].as_str())
    );
    let event = next_event(&mut stream).await;
    assert_eq!(
        (event.kind(), event.resource_id.as_str()),
        (v1::EventKind::ThreadUpdated, ids[0].as_str())
    );
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn topic_filter_skips_other_topics() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let watching = |topics: Vec<v1::Topic>| v1::WatchRequest {
        topics: topics.into_iter().map(Into::into).collect(),
        ..Default::default()
    };
    let mut templates = watch(&instance, watching(vec![v1::Topic::Templates])).await;
    let mut both = watch(&instance, watching(vec![v1::Topic::Templates, v1::Topic::Inbox])).await;
    next(&mut templates).await;
    next(&mut both).await;
    let thread_id = store(&instance, &account.id, &conversation("9", "200", 1, 10)).await;
    let new = NewTemplate {
        name: "Hi".into(),
        text: "Hi".into(),
        request_id: None,
    };
    let template = inbox::create_template(&instance.context, &instance.caller(), new)
        .await
        .expect("is made");
    assert_eq!(next_event(&mut templates).await.resource_id, template.id);
    assert_eq!(next_event(&mut both).await.resource_id, thread_id);
    assert_eq!(next_event(&mut both).await.resource_id, template.id);
    drop((templates, both));
    instance.stop().await;
}
