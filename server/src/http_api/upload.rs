//! `PUT /media/upload/{signed}`: uploads one photo with a signed URL.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use futures::TryStreamExt as _;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use tonic::Code;
use vintedbot_domain::media::{self, Spooled};
use vintedbot_domain::store::within;
use vintedbot_domain::{Error, Reason, failpoints};
use vintedbot_proto::v1::ErrorReason;

use super::problem;
use crate::calls::Call;
use crate::convert::photo;
use crate::errors::Problem;
use crate::media::pace::Pace;
use crate::media::until_shutdown;
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
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    // Checks everything possible before the body is read.
    let ticket = media::open_ticket(&state.context, signed, announced).await;
    if ticket.is_err() && failpoints::disables("early") {
        read(state, body).await?;
        return Err(ticket
            .map(drop)
            .expect_err("the ticket was checked to be an error")
            .into());
    }
    let ticket = ticket?;
    let call = Call {
        holder: ticket.link_holder(),
        ..call.clone()
    };
    let limit = state.context.photo_limits.max_bytes;
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let _slot = state.admission.upload(ticket.workspace_id()).await?;
    let reading = read(state, body);
    let picture = tokio::select! {
        picture = reading => picture?,
        () = state.shutdown.cancelled() => return Err(Problem::shutting_down()),
    };
    let workspace_id = ticket.workspace_id().to_owned();
    let work = within(&workspace_id, ticket.redeem(&state.context, picture));
    let uploaded = until_shutdown(state, work).await?;
    let answer = photo::uploaded_json(photo::uploaded(&Signer::new(&state.context, &call), uploaded));
    Ok(([(CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Spools the whole body. Fails if it is too large, stalls or is too slow.
async fn read(state: &ServerState, body: Body) -> Result<Spooled, Problem> {
    let limit = state.context.photo_limits.max_bytes;
    let mut stream = body.into_data_stream();
    let mut file = state.admission.spool.file().await.map_err(media::spool_error)?;
    let mut pace = Pace::begin(&state.config);
    while let Some(piece) = pace.next(stream.try_next()).await?.map_err(broken)? {
        pace.came(piece.len())?;
        if file.length() + piece.len() as u64 > limit {
            return Err(too_large(limit));
        }
        file.write(piece).await.map_err(media::spool_error)?;
    }
    Ok(file.finish())
}

fn broken(error: axum::Error) -> Problem {
    Problem::new(
        Code::InvalidArgument,
        ErrorReason::UploadMalformed,
        format!("the upload was interrupted: {error}"),
    )
}

fn too_large(limit: u64) -> Problem {
    Error::rejected(
        Reason::PhotoTooLarge,
        format!("a photo may have at most {limit} bytes"),
    )
    .with("max_bytes", limit.to_string())
    .into()
}
