//! Uploads that are too many, too slow or sent to the wrong place, and downloads that are not read.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use vintedbot_domain::{identity, media};
use vintedbot_proto::v1;
use vintedbot_proto::v1::media_service_client::MediaServiceClient;
use vintedbot_proto::v1::upload_photos_request::{Part, Start};
use vintedbot_server::Config;

use crate::harness::{self, Instance, http, jpeg, reason};

/// Longer than any step here takes, and shorter than the server timeouts that are not under test.
const SOON: Duration = Duration::from_secs(20);

async fn upload_url(instance: &Instance) -> String {
    let request = v1::CreateUploadUrlRequest::default();
    let made = MediaServiceClient::new(instance.connect().await)
        .create_upload_url(request)
        .await;
    made.expect("an address").into_inner().url
}

/// Opens a connection and begins a request on it.
async fn begin(instance: &Instance, method: &str, url: &str, headers: &str) -> TcpStream {
    let host = instance.url.strip_prefix("http://").expect("a URL");
    let path = url.strip_prefix(&instance.url).expect("is of the instance");
    let mut connection = TcpStream::connect(host).await.expect("connects");
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n");
    connection.write_all(head.as_bytes()).await.expect("is sent");
    connection
}

/// Reads the next status.
async fn status(connection: &mut TcpStream) -> u16 {
    let mut line = Vec::new();
    let read = async {
        while !line.ends_with(b"\r\n\r\n") {
            line.push(connection.read_u8().await.expect("an answer"));
        }
    };
    tokio::time::timeout(SOON, read).await.expect("answers soon");
    let line = String::from_utf8_lossy(&line);
    let status = line.split(' ').nth(1).expect("a status");
    status.parse().expect("a number")
}

const ANNOUNCED: &str = "content-length: 1000000\r\nexpect: 100-continue\r\n";

#[tokio::test]
async fn wrong_link_is_refused_before_the_body_is_read() {
    let instance = harness::start_where(Config::default(), |settings| settings.signed_url_ms = 0).await;
    let expired = upload_url(&instance).await;
    let foreign = format!("{expired}x");
    for (url, expected) in [(&expired, 410), (&foreign, 403)] {
        let mut connection = begin(&instance, "PUT", url, ANNOUNCED).await;
        // The status 100 would ask for the body.
        assert_eq!(status(&mut connection).await, expected);
    }
    instance.stop().await;
}

#[tokio::test]
async fn link_stores_one_photo() {
    let instance = harness::start().await;
    let url = upload_url(&instance).await;
    let put = async |seed| {
        let answer = http().put(&url).body(jpeg(seed)).send().await.expect("answers");
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.expect("JSON");
        (status, body["reason"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(put(1).await.0, 200);
    assert_eq!(put(1).await.0, 200);
    assert_eq!(put(2).await, (409, "ERROR_REASON_REQUEST_ID_REUSED".to_owned()));
    instance.stop().await;
}

#[tokio::test]
async fn uploads_of_one_workspace_wait_for_free_slots() {
    let instance = harness::start().await;
    let url = upload_url(&instance).await;
    let mut coming = Vec::new();
    for _ in 0..8 {
        let mut connection = begin(&instance, "PUT", &url, ANNOUNCED).await;
        assert_eq!(status(&mut connection).await, 100, "its body is read");
        coming.push(connection);
    }
    let mut waits = begin(&instance, "PUT", &url, ANNOUNCED).await;
    let early = tokio::time::timeout(Duration::from_millis(300), status(&mut waits)).await;
    assert!(early.is_err(), "its body is not read yet");
    drop(coming);
    let begins = tokio::time::timeout(SOON, status(&mut waits)).await;
    assert_eq!(begins.expect("a place comes free"), 100);
    drop(waits);
    let answer = http().put(&url).body(jpeg(1)).send().await.expect("answers");
    assert_eq!(answer.status(), 200);
    instance.stop().await;
}

#[tokio::test]
async fn upload_above_the_time_limit_is_refused() {
    let config = Config {
        upload_timeout: Duration::from_millis(300),
        ..Config::default()
    };
    let instance = harness::start_with(config).await;
    let url = upload_url(&instance).await;
    let mut connection = begin(&instance, "PUT", &url, ANNOUNCED).await;
    assert_eq!(status(&mut connection).await, 100);
    assert_eq!(status(&mut connection).await, 504);

    let (parts, coming) = tokio::sync::mpsc::channel(1);
    let start = v1::UploadPhotosRequest {
        part: Some(Part::Start(Start::default())),
    };
    parts.send(start).await.expect("is taken");
    let coming = tokio_stream::wrappers::ReceiverStream::new(coming);
    let mut client = MediaServiceClient::new(instance.connect().await);
    let refused = tokio::time::timeout(SOON, client.upload_photos(coming)).await;
    let refused = refused.expect("answers soon").expect_err("is refused");
    assert_eq!(reason(&refused), "DEADLINE_EXCEEDED");
    instance.stop().await;
}

#[tokio::test]
async fn running_upload_ends_with_the_server() {
    let instance = harness::start().await;
    let url = upload_url(&instance).await;
    let mut connection = begin(&instance, "PUT", &url, ANNOUNCED).await;
    assert_eq!(status(&mut connection).await, 100);
    instance.shutdown.cancel();
    assert_eq!(status(&mut connection).await, 503);
    instance.stop().await;
}

#[tokio::test]
async fn only_photo_methods_accept_large_messages() {
    let config = Config {
        max_message_bytes: 100_000,
        ..Config::default()
    };
    let instance = harness::start_with(config).await;
    let mut listings = v1::listing_service_client::ListingServiceClient::new(instance.connect().await);
    let listing = v1::ListingInput {
        description: "x".repeat(200_000),
        ..Default::default()
    };
    let create = v1::CreateListingRequest {
        listing: Some(listing.clone()),
        ..Default::default()
    };
    let refused = listings.create_listing(create).await.expect_err("is refused");
    assert_eq!(reason(&refused), "MESSAGE_TOO_LARGE");
    let with_photos = v1::CreateListingFromPhotosRequest {
        listing: Some(listing),
        ..Default::default()
    };
    let read = listings.create_listing_from_photos(with_photos).await;
    assert_eq!(reason(&read.expect_err("has no photos")), "VALIDATION_FAILED");

    let chunk = v1::UploadPhotosRequest {
        part: Some(Part::Chunk(vec![0; 200_000].into())),
    };
    let mut photos = MediaServiceClient::new(instance.connect().await);
    let refused = photos.upload_photos(tokio_stream::iter([chunk])).await;
    assert_eq!(reason(&refused.expect_err("is refused")), "MESSAGE_TOO_LARGE");
    instance.stop().await;
}

#[tokio::test]
async fn unread_downloads_are_limited_and_closed() {
    let config = Config {
        download_idle_timeout: Duration::from_secs(2),
        ..Config::default()
    };
    let instance = harness::start_with(config).await;
    let context = &instance.context;
    // More than the buffers of a connection hold.
    let large = vec![0_u8; 32 << 20];
    context
        .files
        .put("screenshots/large", large.into())
        .await
        .expect("is put");
    let bearer = identity::authenticate(context, Some(&instance.token)).await;
    let holder = bearer.expect("a caller").link_holder();
    let (path, _) = media::signed_path(context, &holder, "screenshots/large", "image/png").expect("a path");
    let url = format!("{}{path}", instance.url);
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut connection = begin(&instance, "GET", &url, "").await;
        assert_eq!(status(&mut connection).await, 200);
        open.push(connection);
    }
    let mut refused = begin(&instance, "GET", &url, "").await;
    assert_eq!(status(&mut refused).await, 429);
    let closed = async {
        loop {
            let mut connection = begin(&instance, "GET", &url, "").await;
            if status(&mut connection).await == 200 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, closed).await.expect("are closed");
    drop(open);
    instance.stop().await;
}

/// The bodies of waiting calls must not fill the flow-control window of their connection.
#[tokio::test]
async fn photo_calls_of_one_connection_do_not_block_each_other() {
    const BYTES: usize = 1 << 20;
    let instance = harness::start().await;
    let client = MediaServiceClient::new(instance.connect().await);
    let calls = (0..24).map(|_| {
        let mut client = client.clone();
        async move {
            let request = v1::UploadPhotoRequest {
                data: vec![0; BYTES].into(),
                ..Default::default()
            };
            client.upload_photo(request).await.map(drop)
        }
    });
    let streams = (0..24).map(|_| {
        let mut client = client.clone();
        async move {
            let parts = [Part::Start(Start::default()), Part::Chunk(vec![0; BYTES].into())];
            let parts = parts.map(|part| v1::UploadPhotosRequest { part: Some(part) });
            client.upload_photos(tokio_stream::iter(parts)).await.map(drop)
        }
    });
    let answers = futures::future::join(
        futures::future::join_all(calls),
        futures::future::join_all(streams),
    );
    let answers = tokio::time::timeout(SOON, answers).await;
    let (of_calls, of_streams) = answers.expect("every call is answered");
    for answer in of_calls.into_iter().chain(of_streams) {
        let refused = answer.expect_err("is not a photo");
        assert_eq!(reason(&refused), "PHOTO_NOT_AN_IMAGE");
    }
    instance.stop().await;
}
