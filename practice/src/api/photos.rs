//! Photo uploads, one by one. Photos are stored byte for byte and recorded with every metadata value in them.

use std::io::Cursor;
use std::sync::Arc;

use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Refusal;
use crate::site::Site;
use crate::store::{self, Photo, photo_record};
use crate::{clock, metadata};

/// The size of generated photos, in pixels.
const WIDTH: u32 = 600;
const HEIGHT: u32 = 800;

/// The largest photo, in bytes.
const PHOTO_LIMIT: usize = 30 << 20;

pub fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route(
            "/api/v2/photos",
            post(upload).layer(DefaultBodyLimit::max(PHOTO_LIMIT)),
        )
        .route("/photos/{id}/{size}", get(serve))
}

async fn upload(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    mut form: Multipart,
) -> Result<Json<Value>, Refusal> {
    let member = site.writer(&headers)?.member;
    let refused = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::PhotoTooBig,
        _ => Refusal::PhotoUpload,
    };
    let (mut temp_uuid, mut bytes, mut kind_known) = (String::new(), Bytes::new(), false);
    while let Some(field) = form.next_field().await.map_err(refused)? {
        match field.name() {
            // The value for photos of messages is not known.
            Some("photo[type]") => {
                let kind = field.text().await.map_err(refused)?;
                kind_known = kind == "item" || kind == "message";
            }
            Some("photo[temp_uuid]") => temp_uuid = field.text().await.map_err(refused)?,
            Some("photo[file]") => bytes = field.bytes().await.map_err(refused)?,
            _ => {}
        }
    }
    if !kind_known {
        return Err(Refusal::PhotoUpload);
    }
    let found = metadata::read(&bytes);
    let mut state = site.lock();
    let photo = photo(&mut state, member.id, temp_uuid, bytes)?;
    let answer = state.photo_json(&photo, 1, &site.base_url);
    let mut record = photo_record(&photo);
    record["metadata"] = json!(found);
    store_photo(&mut state, photo)?;
    state.record("photo", member.id, record);
    state.save();
    Ok(Json(answer))
}

fn photo(
    state: &mut store::State,
    member_id: u64,
    temp_uuid: String,
    bytes: Bytes,
) -> Result<Photo, Refusal> {
    let header = metadata::header(&bytes).ok_or(Refusal::PhotoUpload)?;
    Ok(Photo {
        id: state.new_id(),
        member_id,
        temp_uuid,
        sha256: clock::hex(&Sha256::digest(&bytes)),
        content_type: header.content_type.to_owned(),
        width: header.width,
        height: header.height,
        bytes,
    })
}

fn store_photo(state: &mut store::State, photo: Photo) -> Result<(), Refusal> {
    state.store_photo(photo).map_err(|error| {
        tracing::error!(%error, "cannot store a photo");
        Refusal::Server
    })
}

/// Generates a JPEG of coloured stripes and stores it for a member, as if the member had uploaded it.
pub fn made_up(state: &mut store::State, member_id: u64) -> Result<u64, Refusal> {
    let colors = clock::random::<9>();
    let stripes = RgbImage::from_fn(WIDTH, HEIGHT, |_, y| {
        let stripe = (y * 3 / HEIGHT) as usize * 3;
        Rgb([colors[stripe], colors[stripe + 1], colors[stripe + 2]])
    });
    let mut bytes = Vec::new();
    stripes
        .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Jpeg)
        .map_err(|error| {
            tracing::error!(%error, "cannot generate a photo");
            Refusal::Server
        })?;
    let photo = photo(state, member_id, clock::uuid(), bytes.into())?;
    let id = photo.id;
    store_photo(state, photo)?;
    Ok(id)
}

/// Returns the original bytes of a photo for every requested size.
async fn serve(
    State(site): State<Arc<Site>>,
    Path((id, _size)): Path<(u64, String)>,
) -> Result<impl IntoResponse, Refusal> {
    let state = site.lock();
    let photo = state.photos.get(&id).ok_or(Refusal::NotFound)?;
    Ok((
        [(header::CONTENT_TYPE, photo.content_type.clone())],
        photo.bytes.clone(),
    ))
}
