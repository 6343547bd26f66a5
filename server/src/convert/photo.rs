//! Photos.

use serde::Serialize;
use vintedbot_domain::media::{Photo, Uploaded};
use vintedbot_proto::v1;
use vintedbot_proto::v1::photo::NearDuplicate;

use super::{saturating_i32, saturating_u64, timestamp};
use crate::signed::Signer;

pub fn to_proto(signer: &Signer<'_>, source: Photo) -> v1::Photo {
    let address = signer.photo(&source);
    let (url, url_expire_time) = address
        .map(|file| (file.url, timestamp(file.expire_time)))
        .unzip();
    v1::Photo {
        width: saturating_i32(source.width),
        height: saturating_i32(source.height),
        size_bytes: source.size_bytes,
        url: url.unwrap_or_default(),
        url_expire_time,
        near_duplicates: source
            .near_duplicates
            .into_iter()
            .map(|near| NearDuplicate {
                photo_id: near.photo_id,
                distance: saturating_i32(near.distance.into()),
            })
            .collect(),
        create_time: Some(timestamp(source.create_time)),
        sequence: saturating_u64(source.sequence),
        id: source.id,
        sha256: source.sha256,
        perceptual_hash: source.perceptual_hash,
        content_type: source.content_type,
        file_name: source.file_name,
    }
}

pub fn uploaded(signer: &Signer<'_>, source: Uploaded) -> v1::UploadPhotoResponse {
    v1::UploadPhotoResponse {
        photo: Some(to_proto(signer, source.photo)),
        existing: source.existing,
    }
}

/// `UploadPhotoResponse` in protobuf's JSON format, which every generated client can read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadedJson {
    photo: Option<PhotoJson>,
    existing: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhotoJson {
    id: String,
    sha256: String,
    perceptual_hash: String,
    width: i32,
    height: i32,
    /// Protobuf's JSON format writes 64-bit numbers as strings.
    size_bytes: String,
    content_type: String,
    file_name: String,
    url: String,
    url_expire_time: Option<String>,
    near_duplicates: Vec<NearDuplicateJson>,
    create_time: Option<String>,
    sequence: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NearDuplicateJson {
    photo_id: String,
    distance: i32,
}

pub fn uploaded_json(response: v1::UploadPhotoResponse) -> UploadedJson {
    UploadedJson {
        photo: response.photo.map(photo_json),
        existing: response.existing,
    }
}

fn photo_json(photo: v1::Photo) -> PhotoJson {
    // The text of a timestamp is RFC 3339.
    PhotoJson {
        size_bytes: photo.size_bytes.to_string(),
        url_expire_time: photo.url_expire_time.map(|time| time.to_string()),
        near_duplicates: photo
            .near_duplicates
            .into_iter()
            .map(|near| NearDuplicateJson {
                photo_id: near.photo_id,
                distance: near.distance,
            })
            .collect(),
        create_time: photo.create_time.map(|time| time.to_string()),
        sequence: photo.sequence.to_string(),
        id: photo.id,
        sha256: photo.sha256,
        perceptual_hash: photo.perceptual_hash,
        width: photo.width,
        height: photo.height,
        content_type: photo.content_type,
        file_name: photo.file_name,
        url: photo.url,
    }
}
