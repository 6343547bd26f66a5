//! Photos: uploaded one by one, kept byte for byte, recorded with every metadata value found in them.

use std::sync::Arc;

use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Refusal;
use crate::site::Site;
use crate::store::{Photo, photo_record};
use crate::{clock, metadata};

/// The most that one photo may hold, in bytes.
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
    let (mut temp_uuid, mut bytes, mut of_item) = (String::new(), Bytes::new(), false);
    while let Some(field) = form.next_field().await.map_err(refused)? {
        match field.name() {
            Some("photo[type]") => of_item = field.text().await.map_err(refused)? == "item",
            Some("photo[temp_uuid]") => temp_uuid = field.text().await.map_err(refused)?,
            Some("photo[file]") => bytes = field.bytes().await.map_err(refused)?,
            _ => {}
        }
    }
    let header = metadata::header(&bytes)
        .filter(|_| of_item)
        .ok_or(Refusal::PhotoUpload)?;
    let found = metadata::read(&bytes);
    let sha256 = clock::hex(&Sha256::digest(&bytes));

    let mut state = site.lock();
    let photo = Photo {
        id: state.new_id(),
        member_id: member.id,
        temp_uuid,
        sha256,
        content_type: header.content_type.to_owned(),
        width: header.width,
        height: header.height,
        bytes,
    };
    let answer = state.photo_json(&photo, 1, &site.base_url);
    let mut record = photo_record(&photo);
    record["metadata"] = json!(found);
    if let Err(error) = state.keep_photo(photo) {
        tracing::error!(%error, "a photo could not be kept");
        return Err(Refusal::Server);
    }
    state.record("photo", member.id, record);
    state.save();
    Ok(Json(answer))
}

/// The photo's own bytes, whichever size is asked for.
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
