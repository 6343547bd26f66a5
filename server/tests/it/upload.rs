//! Photo uploads by each of the three ways, and downloads.

use std::time::Duration;

use tonic::Code;
use tonic_types::StatusExt as _;
use vintedbot_proto::v1;
use vintedbot_proto::v1::media_service_client::MediaServiceClient;
use vintedbot_proto::v1::upload_photos_request::{Part, Start};
use vintedbot_server::Config;

use crate::harness::{self, Connection, Instance, http, jpeg, reason};

async fn client(instance: &Instance) -> MediaServiceClient<Connection> {
    MediaServiceClient::new(instance.connect().await)
}

async fn count(instance: &Instance) -> usize {
    let photos = client(instance)
        .await
        .list_photos(v1::ListPhotosRequest::default())
        .await
        .expect("lists");
    photos.into_inner().photos.len()
}

fn start(file_name: &str, size_bytes: usize) -> v1::UploadPhotosRequest {
    let size_bytes = i64::try_from(size_bytes).expect("small");
    let start = Start {
        file_name: file_name.to_owned(),
        size_bytes,
        request_id: String::new(),
    };
    v1::UploadPhotosRequest {
        part: Some(Part::Start(start)),
    }
}

fn chunk(bytes: &[u8]) -> v1::UploadPhotosRequest {
    v1::UploadPhotosRequest {
        part: Some(Part::Chunk(bytes.to_vec().into())),
    }
}

async fn upload_url(instance: &Instance, size_bytes: i64) -> v1::CreateUploadUrlResponse {
    let request = v1::CreateUploadUrlRequest {
        file_name: "a.jpg".to_owned(),
        size_bytes,
        request_id: String::new(),
    };
    client(instance)
        .await
        .create_upload_url(request)
        .await
        .expect("an address")
        .into_inner()
}

#[tokio::test]
async fn uploaded_photo_is_served_at_its_signed_url_without_token() {
    let instance = harness::start().await;
    let request = v1::UploadPhotoRequest {
        data: jpeg(1).into(),
        file_name: "dir/a.jpg".to_owned(),
        request_id: String::new(),
    };
    let stored = client(&instance)
        .await
        .upload_photo(request.clone())
        .await
        .expect("is stored")
        .into_inner();
    let photo = stored.photo.expect("a photo");
    assert_eq!(
        (
            photo.file_name.as_str(),
            photo.width,
            photo.height,
            stored.existing
        ),
        ("a.jpg", 64, 48, false)
    );
    assert!(photo.url.starts_with(&instance.url), "{}", photo.url);
    let again = client(&instance)
        .await
        .upload_photo(request)
        .await
        .expect("is stored")
        .into_inner();
    assert!(again.existing);

    let file = http().get(&photo.url).send().await.expect("answers");
    let header = |name: &str| {
        file.headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    assert_eq!(
        (file.status().as_u16(), header("content-type")),
        (200, "image/jpeg")
    );
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("cache-control").starts_with("private, max-age="));
    assert_eq!(header("content-length"), photo.size_bytes.to_string());
    assert_eq!(file.bytes().await.expect("a body").len() as i64, photo.size_bytes);

    let mut altered = photo.url.clone();
    altered.pop();
    let refused = http().get(&altered).send().await.expect("answers");
    assert_eq!(refused.status(), 404);
    instance.stop().await;
}

#[tokio::test]
async fn photo_put_to_its_upload_link_returns_its_record() {
    let instance = harness::start().await;
    let bytes = jpeg(2);
    let address = upload_url(&instance, i64::try_from(bytes.len()).expect("small")).await;
    assert_eq!(address.max_bytes, 1 << 20);
    for existing in [false, true] {
        let answer = http()
            .put(&address.url)
            .body(bytes.clone())
            .send()
            .await
            .expect("answers");
        assert_eq!(answer.status(), 200);
        let answer: serde_json::Value = answer.json().await.expect("JSON");
        assert_eq!(answer["existing"], existing);
        assert_eq!(answer["photo"]["fileName"], "a.jpg");
        assert!(
            answer["photo"]["sizeBytes"].is_string(),
            "64-bit numbers are texts in protobuf's JSON"
        );
        assert!(
            answer["photo"]["createTime"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z'))
        );
    }
    assert_eq!(count(&instance).await, 1);
    instance.stop().await;
}

#[tokio::test]
async fn invalid_put_to_an_upload_link_stores_nothing() {
    let instance = harness::start().await;
    let refused = async |url: &str, body: Vec<u8>| {
        let answer = http().put(url).body(body).send().await.expect("answers");
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.expect("JSON");
        (status, body["reason"].as_str().unwrap_or_default().to_owned())
    };
    let address = upload_url(&instance, 0).await.url;
    let forged = format!("{address}x");
    assert_eq!(
        refused(&forged, jpeg(1)).await,
        (403, "ERROR_REASON_UPLOAD_URL_INVALID".into())
    );
    assert_eq!(
        refused(&address, b"no picture".to_vec()).await,
        (400, "ERROR_REASON_PHOTO_NOT_AN_IMAGE".into())
    );
    let large = vec![0; (1 << 20) + 1];
    assert_eq!(
        refused(&address, large).await,
        (413, "ERROR_REASON_PHOTO_TOO_LARGE".into())
    );
    let mut cut = jpeg(1);
    cut.truncate(cut.len() / 2);
    assert_eq!(
        refused(&address, cut).await,
        (400, "ERROR_REASON_PHOTO_TRUNCATED".into())
    );
    let other_size = upload_url(&instance, 5).await.url;
    assert_eq!(refused(&other_size, jpeg(1)).await.0, 400);
    assert_eq!(count(&instance).await, 0);
    instance.stop().await;

    let instance = harness::start_where(Config::default(), |settings| settings.signed_url_ms = 1).await;
    let address = upload_url(&instance, 0).await.url;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let answer = http().put(&address).body(jpeg(1)).send().await.expect("answers");
    assert_eq!(answer.status(), 410);
    instance.stop().await;
}

#[tokio::test]
async fn chunked_stream_becomes_photos_in_order() {
    let instance = harness::start().await;
    let (one, two) = (jpeg(1), jpeg(2));
    let mut parts = vec![start("one.jpg", one.len())];
    parts.extend(one.chunks(100).map(chunk));
    parts.push(start("two.jpg", 0));
    parts.extend(two.chunks(1000).map(chunk));
    let stored = client(&instance)
        .await
        .upload_photos(tokio_stream::iter(parts))
        .await
        .expect("are stored");
    let names: Vec<_> = stored
        .into_inner()
        .results
        .into_iter()
        .filter_map(|one| one.photo)
        .map(|photo| photo.file_name)
        .collect();
    assert_eq!(names, ["one.jpg", "two.jpg"]);
    instance.stop().await;
}

#[tokio::test]
async fn invalid_upload_stream_stores_nothing() {
    let instance = harness::start().await;
    let good = jpeg(1);
    let refused = async |parts: Vec<v1::UploadPhotosRequest>| {
        let status = client(&instance)
            .await
            .upload_photos(tokio_stream::iter(parts))
            .await
            .expect_err("is refused");
        (status.code(), reason(&status))
    };
    let malformed = (Code::InvalidArgument, "UPLOAD_MALFORMED".to_owned());
    assert_eq!(refused(vec![]).await, malformed);
    assert_eq!(refused(vec![chunk(&good)]).await, malformed);
    assert_eq!(
        refused(vec![v1::UploadPhotosRequest { part: None }]).await,
        malformed
    );
    assert_eq!(
        refused(vec![start("short", good.len() + 1), chunk(&good)]).await,
        malformed
    );
    assert_eq!(
        refused(vec![start("long", good.len() - 1), chunk(&good)]).await,
        malformed
    );
    let not_an_image = refused(vec![start("a", 0), chunk(&good), start("b", 0), chunk(b"text")]).await;
    assert_eq!(
        not_an_image,
        (Code::InvalidArgument, "PHOTO_NOT_AN_IMAGE".to_owned())
    );
    let too_large = refused(vec![start("a", (1 << 20) + 1)]).await;
    assert_eq!(too_large, (Code::InvalidArgument, "PHOTO_TOO_LARGE".to_owned()));
    let many: Vec<_> = (0..21).flat_map(|_| [start("a", 0), chunk(&good)]).collect();
    assert_eq!(
        refused(many).await,
        (Code::InvalidArgument, "TOO_MANY_PHOTOS".to_owned())
    );
    assert_eq!(count(&instance).await, 0);
    instance.stop().await;
}

#[tokio::test]
async fn cancelled_or_stalled_stream_stores_nothing() {
    let config = Config {
        upload_idle_timeout: Duration::from_millis(300),
        ..Config::default()
    };
    let instance = harness::start_with(config).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    for part in [start("a", 0), chunk(&jpeg(1))] {
        sender.send(part).await.expect("is taken");
    }
    let mut client_of_one = client(&instance).await;
    let cancelled = client_of_one.upload_photos(tokio_stream::wrappers::ReceiverStream::new(receiver));
    tokio::time::timeout(Duration::from_millis(100), cancelled)
        .await
        .expect_err("is cancelled before it ends");
    drop(sender);

    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    sender.send(start("a", 0)).await.expect("is taken");
    let stalled = client_of_one
        .upload_photos(tokio_stream::wrappers::ReceiverStream::new(receiver))
        .await;
    let status = stalled.expect_err("stops coming");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
    drop(sender);
    assert_eq!(count(&instance).await, 0);
    instance.stop().await;
}

#[tokio::test]
async fn refused_photo_is_named_by_its_index() {
    let instance = harness::start().await;
    let parts = vec![
        start("good.jpg", 0),
        chunk(&jpeg(1)),
        start("bad.jpg", 0),
        chunk(b"text"),
    ];
    let status = client(&instance)
        .await
        .upload_photos(tokio_stream::iter(parts))
        .await
        .expect_err("is refused");
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(
        (
            info.metadata["index"].as_str(),
            info.metadata["file_name"].as_str()
        ),
        ("1", "bad.jpg")
    );
    instance.stop().await;
}
