//! `UploadPhoto`, `CreateUploadUrl`.

use tonic::{Request, Response};
use vintedbot_domain::media::{self, NewPhoto};
use vintedbot_proto::v1;

use super::until_shutdown;
use crate::convert::{Fields, photo, timestamp};
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

pub async fn upload(
    state: &ServerState,
    request: Request<v1::UploadPhotoRequest>,
) -> Result<Response<v1::UploadPhotoResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let (new, request_id) = read(request.into_inner())?;
    let work = media::upload(&state.context, &caller, new, request_id);
    let uploaded = until_shutdown(state, work).await?;
    Ok(Response::new(photo::uploaded(
        &Signer::new(&state.context, &call),
        uploaded,
    )))
}

fn read(request: v1::UploadPhotoRequest) -> Result<(NewPhoto, Option<String>), Problem> {
    let mut fields = Fields::default();
    if request.data.is_empty() {
        fields.wrong("data", "is required");
    }
    let request_id = fields.optional_id("request_id", request.request_id);
    fields.done((
        NewPhoto {
            bytes: request.data,
            file_name: request.file_name,
        },
        request_id,
    ))
}

pub fn create_url(
    state: &ServerState,
    request: Request<v1::CreateUploadUrlRequest>,
) -> Result<Response<v1::CreateUploadUrlResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let request = request.into_inner();
    let mut fields = Fields::default();
    let request_id = fields.optional_id("request_id", request.request_id);
    let size_bytes = u64::try_from(request.size_bytes);
    if size_bytes.is_err() {
        fields.wrong("size_bytes", "must not be negative");
    }
    let request_id = fields.done(request_id)?;
    let size_bytes = size_bytes.ok().filter(|size| *size > 0);
    let ticket = media::upload_ticket(
        &state.context,
        &caller,
        &request.file_name,
        size_bytes,
        request_id,
    )?;
    Ok(Response::new(v1::CreateUploadUrlResponse {
        url: Signer::new(&state.context, &call).absolute(&ticket.path),
        expire_time: Some(timestamp(ticket.expire_time)),
        max_bytes: i64::try_from(ticket.max_bytes).unwrap_or(i64::MAX),
    }))
}
