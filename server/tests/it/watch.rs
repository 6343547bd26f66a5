//! `Watch`: no event is missing, none comes twice, and a token sees only what its scopes allow.

use std::time::Duration;

use tonic::{Code, Status, Streaming};
use vintedbot_domain::events::{self, Cursor, Ephemeral};
use vintedbot_domain::identity::{self, Scope};
use vintedbot_domain::listings;
use vintedbot_proto::v1;
use vintedbot_proto::v1::event_service_client::EventServiceClient;
use vintedbot_proto::v1::resource::Resource;
use vintedbot_proto::v1::watch_response::Message;
use vintedbot_server::Config;

use crate::harness::{self, Connection, reason};

/// Far longer than any step here takes. Only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

type Stream = Streaming<v1::WatchResponse>;

async fn watch(connection: Connection, request: v1::WatchRequest) -> Result<Stream, Status> {
    Ok(EventServiceClient::new(connection)
        .watch(request)
        .await?
        .into_inner())
}

async fn next(stream: &mut Stream) -> Result<v1::WatchResponse, Status> {
    let message = tokio::time::timeout(PATIENCE, stream.message())
        .await
        .expect("a message in time");
    message.map(|message| message.expect("the stream continues"))
}

async fn next_event(stream: &mut Stream) -> (v1::Event, String) {
    loop {
        let message = next(stream).await.expect("continues");
        if let Some(Message::Event(event)) = message.message {
            return (event, message.cursor);
        }
    }
}

async fn end(stream: &mut Stream) -> Status {
    loop {
        if let Err(status) = next(stream).await {
            return status;
        }
    }
}

#[tokio::test]
async fn watch_begins_with_a_checkpoint_at_the_head() {
    let instance = harness::start().await;
    instance.make_account("before").await;
    let head = events::head(&instance.context.store, &instance.workspace_id)
        .await
        .expect("a head");
    let mut stream = watch(instance.connect().await, v1::WatchRequest::default())
        .await
        .expect("begins");
    let first = next(&mut stream).await.expect("continues");
    assert!(matches!(first.message, Some(Message::Checkpoint(at)) if at.sequence == head as u64));
    assert!(!first.cursor.is_empty());
    let account = instance.make_account("after").await;
    let (event, _) = next_event(&mut stream).await;
    assert_eq!(
        (event.kind(), event.resource_id),
        (v1::EventKind::AccountCreated, account.id)
    );
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn watch_asks_proxies_not_to_buffer_it() {
    let instance = harness::start().await;
    let mut client = EventServiceClient::new(instance.connect().await);
    let response = client.watch(v1::WatchRequest::default()).await.expect("opens");
    let header = response.metadata().get("x-accel-buffering");
    assert_eq!(header.and_then(|value| value.to_str().ok()), Some("no"));
    instance.stop().await;
}

#[tokio::test]
async fn repeatedly_cut_watch_gets_every_event_exactly_once() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let head = events::head(&instance.context.store, &instance.workspace_id)
        .await
        .expect("a head") as u64;
    let mut stream = watch(instance.connect().await, v1::WatchRequest::default())
        .await
        .expect("begins");
    let mut cursor = next(&mut stream).await.expect("continues").cursor;
    let mut seen = Vec::new();
    for round in 0..20usize {
        instance.emit(&account.id, 1 + round * 7 % 40).await;
        for _ in 0..=round % 5 {
            let reached = events::head(&instance.context.store, &instance.workspace_id)
                .await
                .expect("a head") as u64;
            if seen.last().is_some_and(|last| *last == reached) {
                break;
            }
            let (event, at) = next_event(&mut stream).await;
            seen.push(event.sequence);
            cursor = at;
        }
        let request = v1::WatchRequest {
            cursor: cursor.clone(),
            ..Default::default()
        };
        stream = watch(instance.connect().await, request).await.expect("resumes");
    }
    let last = events::head(&instance.context.store, &instance.workspace_id)
        .await
        .expect("a head") as u64;
    while seen.last() != Some(&last) {
        seen.push(next_event(&mut stream).await.0.sequence);
    }
    assert_eq!(seen, (head + 1..=last).collect::<Vec<_>>());
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn slow_watcher_gets_every_event_in_order() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let mut stream = watch(instance.connect().await, v1::WatchRequest::default())
        .await
        .expect("begins");
    let first = next(&mut stream).await.expect("continues");
    let Some(Message::Checkpoint(at)) = first.message else {
        panic!("{first:?}")
    };
    for _ in 0..6 {
        instance.emit(&account.id, 500).await;
    }
    for sequence in at.sequence + 1..=at.sequence + 3000 {
        assert_eq!(next_event(&mut stream).await.0.sequence, sequence);
    }
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn kind_filter_skips_events_and_checkpoints_advance() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let kinds = vec![v1::EventKind::ListingCreated.into()];
    let request = v1::WatchRequest {
        kinds,
        ..Default::default()
    };
    let mut stream = watch(instance.connect().await, request.clone())
        .await
        .expect("begins");
    next(&mut stream).await.expect("the first checkpoint");
    instance.emit(&account.id, 600).await;
    let message = next(&mut stream).await.expect("continues");
    let Some(Message::Checkpoint(at)) = message.message else {
        panic!("{message:?}")
    };
    let listing = instance.make_listing(&account.id, "A thing").await;
    let (event, _) = next_event(&mut stream).await;
    assert_eq!(event.resource_id, listing.id);
    // A client that resumes from the checkpoint does not read the filtered events before it again.
    let request = v1::WatchRequest {
        cursor: message.cursor,
        ..request
    };
    let mut resumed = watch(instance.connect().await, request).await.expect("resumes");
    let first = next(&mut resumed).await.expect("continues");
    assert!(matches!(first.message, Some(Message::Checkpoint(same)) if same.sequence == at.sequence));
    assert_eq!(next_event(&mut resumed).await.0.resource_id, listing.id);
    drop((stream, resumed));
    instance.stop().await;
}

#[tokio::test]
async fn account_filter_skips_events_of_others_or_of_no_account() {
    let instance = harness::start().await;
    let (one, other) = (
        instance.make_account("one").await,
        instance.make_account("other").await,
    );
    let request = v1::WatchRequest {
        account_ids: vec![other.id.clone()],
        ..Default::default()
    };
    let mut stream = watch(instance.connect().await, request).await.expect("begins");
    next(&mut stream).await.expect("the first checkpoint");
    instance.make_listing(&one.id, "Not this").await;
    instance.make_token(&[Scope::EventsRead], None).await;
    let listing = instance.make_listing(&other.id, "This").await;
    let (event, _) = next_event(&mut stream).await;
    assert_eq!((event.resource_id, event.account_id), (listing.id, other.id));
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn snapshot_is_complete_and_events_follow_it() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let mut ids = vec![account.id.clone()];
    for number in 0..3 {
        ids.push(
            instance
                .make_listing(&account.id, &format!("Thing {number}"))
                .await
                .id,
        );
    }
    let request = v1::WatchRequest {
        snapshot: true,
        ..Default::default()
    };
    let mut stream = watch(instance.connect().await, request).await.expect("begins");
    let mut found = Vec::new();
    let sequence = loop {
        let message = next(&mut stream).await.expect("continues");
        match message.message {
            Some(Message::Snapshot(one)) => {
                assert!(message.cursor.is_empty(), "a snapshot cannot be resumed");
                assert!(one.resource.is_some_and(|resource| resource.resource.is_some()));
                found.push(one.resource_id);
            }
            Some(Message::SnapshotEnd(end)) => break end.sequence,
            other => panic!("{other:?}"),
        }
    };
    for id in ids {
        assert!(found.contains(&id));
    }
    let listing = instance.make_listing(&account.id, "Later").await;
    let (event, _) = next_event(&mut stream).await;
    assert_eq!((event.sequence, event.resource_id), (sequence + 1, listing.id));
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn event_without_read_scope_has_no_content() {
    let instance = harness::start().await;
    let (_, secret) = instance
        .make_token(&[Scope::EventsRead, Scope::AccountsRead], None)
        .await;
    let connection = instance.connect_as(Some(&secret)).await;
    let mut stream = watch(connection.clone(), v1::WatchRequest::default())
        .await
        .expect("begins");
    let account = instance.make_account("one").await;
    let listing = instance.make_listing(&account.id, "Private").await;
    let (event, _) = next_event(&mut stream).await;
    assert!(matches!(
        event.resource.and_then(|r| r.resource),
        Some(Resource::Account(_))
    ));
    let (event, _) = next_event(&mut stream).await;
    assert_eq!(event.resource_id, listing.id);
    assert_eq!(event.resource, Some(v1::Resource { resource: None }));

    let request = v1::WatchRequest {
        snapshot: true,
        ..Default::default()
    };
    let mut snapshot = watch(connection, request).await.expect("begins");
    loop {
        match next(&mut snapshot).await.expect("continues").message {
            Some(Message::Snapshot(one)) if one.resource_type() == v1::ResourceType::Listing => {
                assert_eq!(one.resource, Some(v1::Resource { resource: None }));
            }
            Some(Message::SnapshotEnd(_)) => break,
            _ => {}
        }
    }
    drop((stream, snapshot));
    instance.stop().await;
}

#[tokio::test]
async fn deletion_event_has_no_resource() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let listing = instance.make_listing(&account.id, "Short-lived").await;
    let mut stream = watch(instance.connect().await, v1::WatchRequest::default())
        .await
        .expect("begins");
    next(&mut stream).await.expect("the first checkpoint");
    listings::delete(&instance.context, &instance.caller(), &listing.id, None)
        .await
        .expect("is deleted");
    let (event, _) = next_event(&mut stream).await;
    assert_eq!(
        (event.kind(), event.resource),
        (v1::EventKind::ListingDeleted, None)
    );
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn progress_is_live_and_has_no_cursor() {
    let instance = harness::start().await;
    let mut stream = watch(instance.connect().await, v1::WatchRequest::default())
        .await
        .expect("begins");
    next(&mut stream).await.expect("the first checkpoint");
    let progress = Ephemeral::Photos {
        request_id: "r".to_owned(),
        done: 1,
        total: 2,
        file_name: "a.jpg".to_owned(),
    };
    instance.context.feed.tell(&instance.workspace_id, progress);
    let message = next(&mut stream).await.expect("continues");
    assert!(message.cursor.is_empty());
    let Some(Message::Ephemeral(ephemeral)) = message.message else {
        panic!("{message:?}")
    };
    let Some(v1::ephemeral::Progress::Photos(photos)) = ephemeral.progress else {
        panic!("{ephemeral:?}")
    };
    assert_eq!(
        (photos.done, photos.total, photos.file_name.as_str()),
        (1, 2, "a.jpg")
    );
    drop(stream);
    instance.stop().await;
}

#[tokio::test]
async fn altered_foreign_future_and_pruned_cursors_are_refused() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    instance.emit(&account.id, 5).await;
    let refused = async |cursor: String| {
        let request = v1::WatchRequest {
            cursor,
            ..Default::default()
        };
        let status = watch(instance.connect().await, request)
            .await
            .expect_err("is refused");
        (status.code(), reason(&status))
    };
    let cursor = |workspace_id: &str, log_epoch: &str, sequence| {
        Cursor {
            workspace_id: workspace_id.to_owned(),
            log_epoch: log_epoch.to_owned(),
            sequence,
        }
        .encode(&instance.context.keys)
    };
    let (workspace, epoch) = (instance.workspace_id.as_str(), &*instance.context.log_epoch);
    let invalid = (Code::InvalidArgument, "CURSOR_INVALID".to_owned());
    let expired = (Code::OutOfRange, "CURSOR_EXPIRED".to_owned());
    assert_eq!(refused("nonsense".to_owned()).await, invalid);
    assert_eq!(refused(cursor("somebody else", epoch, 1)).await, invalid);
    assert_eq!(refused(cursor(workspace, "another epoch", 1)).await, expired);
    assert_eq!(refused(cursor(workspace, epoch, 1_000_000)).await, expired);
    events::retain(&instance.context.store, i64::MAX)
        .await
        .expect("prunes");
    assert_eq!(refused(cursor(workspace, epoch, 1)).await, expired);
    let unknown = v1::WatchRequest {
        kinds: vec![0, 9999],
        account_ids: vec!["7".into()],
        ..Default::default()
    };
    let status = watch(instance.connect().await, unknown)
        .await
        .expect_err("is refused");
    assert_eq!(reason(&status), "VALIDATION_FAILED");
    instance.stop().await;
}

#[tokio::test]
async fn watch_ends_when_its_token_is_revoked_or_expires() {
    let instance = harness::start().await;
    let (id, revoked) = instance.make_token(&[Scope::EventsRead], None).await;
    let mut stream = watch(
        instance.connect_as(Some(&revoked)).await,
        v1::WatchRequest::default(),
    )
    .await
    .expect("begins");
    identity::revoke_token(&instance.context, &instance.caller(), identity::Revoke::of(id))
        .await
        .expect("revokes");
    let status = end(&mut stream).await;
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unauthenticated, "TOKEN_INVALID")
    );

    let soon = instance.context.clock.now() + 500;
    let (_, expiring) = instance.make_token(&[Scope::EventsRead], Some(soon)).await;
    let mut stream = watch(
        instance.connect_as(Some(&expiring)).await,
        v1::WatchRequest::default(),
    )
    .await
    .expect("begins");
    let status = end(&mut stream).await;
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unauthenticated, "TOKEN_EXPIRED")
    );
    instance.stop().await;
}

#[tokio::test]
async fn shutdown_ends_every_watch_and_the_server() {
    let instance = harness::start_with(Config {
        drain_timeout: PATIENCE,
        ..Config::default()
    })
    .await;
    let mut stream = watch(instance.connect().await, v1::WatchRequest::default())
        .await
        .expect("begins");
    next(&mut stream).await.expect("the first checkpoint");
    instance.shutdown.cancel();
    let status = end(&mut stream).await;
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unavailable, "UNAVAILABLE")
    );
    drop(stream);
    let ended = tokio::time::timeout(PATIENCE / 2, instance.served).await;
    ended
        .expect("drains long before the time-out")
        .expect("did not panic")
        .expect("ended well");
}
