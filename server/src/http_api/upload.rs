//! `PUT /media/upload/{signed}`: one photo, from whoever holds the address.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use tonic::Code;
use vintedbot_domain::{Error, Reason, media};
use vintedbot_proto::v1::ErrorReason;

use super::problem;
use crate::calls::Call;
use crate::convert::photo;
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;

pub async fn put(
    State(state): State<ServerState>,
    Path(signed): Path<String>,
    axum::Extension(call): axum::Extension<Call>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match store(&state, &signed, &call, &headers, body).await {
        Ok(response) => response,
        Err(problem) => problem::refuse(&problem),
    }
}

async fn store(
    state: &ServerState,
    signed: &str,
    call: &Call,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // Before anything is read for it.
    let ticket = media::open_ticket(&state.domain, signed).await?;
    let call = Call {
        holder: ticket.link_holder(),
        ..call.clone()
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = read(state, announced, body).await?;
    let uploaded = ticket.redeem(&state.domain, bytes).await?;
    let answer = photo::uploaded_json(photo::uploaded(&Signer::new(&state.domain, &call), uploaded));
    Ok(([(CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// The whole body, unless it is too large or stops coming.
async fn read(state: &ServerState, announced: Option<u64>, body: Body) -> Result<Bytes, Problem> {
    let limit = state.domain.photo_limits.max_bytes;
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut stream = body.into_data_stream();
    let mut bytes =
        BytesMut::with_capacity(usize::try_from(announced.unwrap_or_default()).unwrap_or_default());
    loop {
        let next = tokio::time::timeout(state.config.upload_idle_timeout, stream.try_next());
        let piece = next.await.map_err(|_| idle())?.map_err(|error| {
            Problem::new(
                Code::InvalidArgument,
                ErrorReason::UploadMalformed,
                format!("the upload broke off: {error}"),
            )
        })?;
        let Some(piece) = piece else {
            return Ok(bytes.freeze());
        };
        if (bytes.len() + piece.len()) as u64 > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&piece);
    }
}

fn too_large(limit: u64) -> Problem {
    Error::rejected(
        Reason::PhotoTooLarge,
        format!("a photo may have at most {limit} bytes"),
    )
    .with("max_bytes", limit.to_string())
    .into()
}

fn idle() -> Problem {
    Problem::new(
        Code::DeadlineExceeded,
        ErrorReason::DeadlineExceeded,
        "the upload stopped coming",
    )
}
