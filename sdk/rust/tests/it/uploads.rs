//! Streamed photo uploads.

use prost::Message as _;
use vintedbot_sdk::v1::upload_photos_request::Part;
use vintedbot_sdk::v1::{UploadPhotoResponse, UploadPhotosRequest, UploadPhotosResponse};
use vintedbot_sdk::{Error, Upload};

use crate::server::{Answer, Call, Server};

/// Returns name, announced size, bytes and request id of each photo.
fn photos(call: &Call) -> Vec<(String, i64, Vec<u8>, String)> {
    let mut photos = Vec::new();
    for message in &call.messages {
        let part = UploadPhotosRequest::decode(message.clone())
            .expect("a part")
            .part
            .expect("one of the two");
        match part {
            Part::Start(start) => {
                photos.push((start.file_name, start.size_bytes, Vec::new(), start.request_id))
            }
            Part::Chunk(bytes) => photos.last_mut().expect("a start comes first").2.extend(bytes),
        }
    }
    photos
}

fn stored(call: &Call) -> Answer {
    let results = photos(call)
        .iter()
        .map(|_| UploadPhotoResponse::default())
        .collect();
    Answer::message(&UploadPhotosResponse { results })
}

#[tokio::test]
async fn upload_is_complete_ordered_and_retried_with_its_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("front.jpg");
    let long: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    std::fs::write(&path, &long).expect("it is written");
    let server = Server::start(|number, call| match number {
        1 => Answer::Cut(Vec::new()),
        _ => stored(call),
    })
    .await;
    let uploads = [
        Upload::path(&path),
        Upload::bytes(&b"short"[..]).named("back.jpg"),
    ];
    let answers = server
        .client()
        .media()
        .upload_all(uploads)
        .await
        .expect("the second");
    assert_eq!(answers.len(), 2);
    let calls = server.calls();
    let (first, second) = (photos(&calls[0]), photos(&calls[1]));
    assert_eq!(first, second);
    assert_eq!(
        (first[0].0.as_str(), first[0].1, &first[0].2),
        ("front.jpg", 200_000, &long)
    );
    assert_eq!(
        (first[1].0.as_str(), first[1].1, &first[1].2[..]),
        ("back.jpg", 5, &b"short"[..])
    );
    assert_eq!(first[0].3, first[1].3);
    assert_eq!(first[0].3.len(), 36);
}

#[tokio::test]
async fn missing_file_is_reported_before_anything_is_sent() {
    let server = Server::start(|_, call| stored(call)).await;
    let uploads = [
        Upload::bytes(&b"there"[..]),
        Upload::path("/nonexistent/photo.jpg"),
    ];
    let error = server
        .client()
        .media()
        .upload_all(uploads)
        .await
        .expect_err("one is missing");
    assert!(matches!(error, Error::File { .. }), "{error:?}");
    assert!(server.calls().is_empty());
}
