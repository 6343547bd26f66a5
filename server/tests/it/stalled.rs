//! Clients that open streams and do not read or send. None of them may hold a connection of the database.

use std::time::Duration;

use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use vintedbot_domain::events::{Cursor, Ephemeral};
use vintedbot_domain::inbox::sync::Freshness;
use vintedbot_proto::v1;
use vintedbot_proto::v1::event_service_client::EventServiceClient;
use vintedbot_proto::v1::media_service_client::MediaServiceClient;
use vintedbot_proto::v1::upload_photos_request::{Part, Start};

use crate::harness::{self, Bearer, Connection, Instance, http, jpeg};
use crate::postgres::Postgres;

/// More than the connections of either engine's pool.
const STREAMS: usize = 16;
/// A call of another client answers within this time, which is below the server's own limits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens an HTTP/2 connection on which the server may send `window` bytes of a stream before the client reads.
async fn connect(instance: &Instance, window: u32) -> Connection {
    let channel = Channel::from_shared(instance.url.clone())
        .expect("a URL")
        .initial_stream_window_size(window)
        .connect()
        .await
        .expect("connects");
    InterceptedService::new(channel, Bearer::new(&instance.token))
}

/// Opens watches on one connection. None of them is read.
async fn watch(
    instance: &Instance,
    window: u32,
    request: v1::WatchRequest,
) -> Vec<Streaming<v1::WatchResponse>> {
    let connection = connect(instance, window).await;
    let open = join_all((0..STREAMS).map(|_| {
        let (mut client, request) = (EventServiceClient::new(connection.clone()), request.clone());
        async move { client.watch(request).await.expect("begins").into_inner() }
    }));
    timeout(PATIENCE, open).await.expect("every stream opens")
}

/// Asserts that calls of another client are answered and that the instance is ready.
async fn others_are_answered(instance: &Instance) {
    let mut client = v1::account_service_client::AccountServiceClient::new(instance.connect().await);
    for _ in 0..3 {
        let list = client.list_accounts(v1::ListAccountsRequest::default());
        let answer = timeout(PATIENCE, list).await.expect("a call answers in time");
        answer.expect("answers");
        let ready = http().get(format!("{}/ready", instance.url)).send();
        let ready = timeout(PATIENCE, ready)
            .await
            .expect("readiness is answered in time");
        assert_eq!(ready.expect("answers").status(), 200);
    }
}

/// Opens watches that are never read, and makes calls as another client at the same time.
async fn watches_hold_no_connection(instance: Instance, request: v1::WatchRequest) {
    let streams = watch(&instance, 0, request).await;
    others_are_answered(&instance).await;
    drop(streams);
    instance.stop().await;
}

async fn stalled_watches_leave_the_pool_to_others(instance: Instance) {
    let account = instance.make_account("one").await;
    instance.emit(&account.id, 600).await;
    let cursor = Cursor {
        workspace_id: instance.workspace_id.clone(),
        log_epoch: instance.context.log_epoch.as_ref().to_owned(),
        sequence: 1,
    };
    let request = v1::WatchRequest {
        cursor: cursor.encode(&instance.context.keys),
        ..Default::default()
    };
    watches_hold_no_connection(instance, request).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_catching_up_watches_hold_no_reader() {
    stalled_watches_leave_the_pool_to_others(harness::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_watches_hold_no_connection_on_postgresql() {
    let server = Postgres::start().await.expect("starts");
    stalled_watches_leave_the_pool_to_others(harness::start_on(&server.url()).await).await;
    server.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_snapshot_watches_hold_no_reader() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    for number in 0..3 {
        instance
            .make_listing(&account.id, &format!("Thing {number}"))
            .await;
    }
    let request = v1::WatchRequest {
        snapshot: true,
        ..Default::default()
    };
    watches_hold_no_connection(instance, request).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_live_watches_hold_no_reader() {
    let instance = harness::start().await;
    let account = instance.make_account("one").await;
    let request = v1::WatchRequest {
        account_ids: vec![account.id.clone()],
        ..Default::default()
    };
    // A window of one byte lets the first checkpoint leave, so that the watches reach the end of the log.
    let streams = watch(&instance, 1, request).await;
    let feed = &instance.context.feed;
    for number in 0..20 {
        // One message for the client, and one for which the watch looks up a job.
        let fresh = Ephemeral::InboxFreshness {
            account_id: account.id.clone(),
            freshness: Freshness::default(),
        };
        let step = Ephemeral::PublishStep {
            publish_job_id: format!("job {number}"),
            number: 1,
            attempt: 1,
            step: "open".to_owned(),
            outcome: "DONE".to_owned(),
            message: String::new(),
            time: 0,
            selector: None,
            thumbnail_key: None,
        };
        for _ in 0..3 {
            feed.tell(&instance.workspace_id, fresh.clone());
            feed.tell(&instance.workspace_id, step.clone());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    others_are_answered(&instance).await;
    drop(streams);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_downloads_hold_no_reader() {
    let instance = harness::start().await;
    let mut client = MediaServiceClient::new(instance.connect().await);
    let mut urls = Vec::new();
    for seed in [1, 2] {
        let request = v1::UploadPhotoRequest {
            data: jpeg(seed).into(),
            ..Default::default()
        };
        let uploaded = client.upload_photo(request).await.expect("is stored");
        urls.push(uploaded.into_inner().photo.expect("a photo").url);
    }
    #[expect(clippy::disallowed_methods, reason = "it talks to this process alone")]
    let browser = reqwest::Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(0)
        .build()
        .expect("a client");
    let open = join_all((0..STREAMS).map(|number| browser.get(&urls[number % urls.len()]).send()));
    let answers = timeout(PATIENCE, open).await.expect("every download begins");
    for answer in &answers {
        assert_eq!(answer.as_ref().expect("answers").status(), 200);
    }
    others_are_answered(&instance).await;
    drop(answers);
    instance.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_uploads_hold_no_reader() {
    let instance = harness::start().await;
    let connection = instance.connect().await;
    let mut stalled = Vec::new();
    for _ in 0..STREAMS {
        let (parts, receiver) = mpsc::channel(1);
        let start = v1::UploadPhotosRequest {
            part: Some(Part::Start(Start {
                file_name: "a.jpg".to_owned(),
                ..Default::default()
            })),
        };
        let mut client = MediaServiceClient::new(connection.clone());
        let call = tokio::spawn(async move { client.upload_photos(ReceiverStream::new(receiver)).await });
        parts.send(start).await.expect("is taken");
        stalled.push((parts, call));
    }
    others_are_answered(&instance).await;
    // Some are read; the others wait for their turn.
    let (parts, calls): (Vec<_>, Vec<_>) = stalled.into_iter().unzip();
    for call in &calls {
        assert!(!call.is_finished(), "the upload waits for its client");
    }
    drop(parts);
    for call in calls {
        drop(call.await.expect("did not panic"));
    }
    instance.stop().await;
}
