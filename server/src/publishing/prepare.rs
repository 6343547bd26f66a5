//! `PreparePublish`.

use tonic::{Request, Response};
use vintedbot_domain::publishing::{self, Prepare};
use vintedbot_proto::v1;

use crate::convert::{Fields, publish_job};
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

pub async fn prepare(
    state: &ServerState,
    request: Request<v1::PreparePublishRequest>,
) -> Result<Response<v1::PreparePublishResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let prepare = read(request.into_inner())?;
    let job = publishing::prepare(&state.context, &caller, prepare).await?;
    let job = publish_job::to_proto(&Signer::new(&state.context, &call), job);
    Ok(Response::new(v1::PreparePublishResponse {
        publish_job: Some(job),
    }))
}

fn read(request: v1::PreparePublishRequest) -> Result<Prepare, Problem> {
    let mut fields = Fields::default();
    let prepare = Prepare {
        listing_id: fields.id("listing_id", request.listing_id),
        dry_run: request.dry_run.unwrap_or(true),
        manual_takeover: request.manual_takeover,
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(prepare)
}
