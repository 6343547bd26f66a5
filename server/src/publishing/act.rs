//! `CancelPublishJob`, `RetryPublishJob`, `ResolvePublishJob`: a person's actions on a job.

use tonic::{Request, Response};
use vintedbot_domain::publishing;
use vintedbot_proto::v1;

use crate::convert::{Fields, publish_job};
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

pub async fn cancel(
    state: &ServerState,
    request: Request<v1::CancelPublishJobRequest>,
) -> Result<Response<v1::CancelPublishJobResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let request = request.into_inner();
    let (id, request_id) = read(request.id, request.request_id)?;
    let job = publishing::cancel(&state.context, &caller, &id, request_id).await?;
    let job = publish_job::to_proto(&Signer::new(&state.context, &call), job);
    Ok(Response::new(v1::CancelPublishJobResponse {
        publish_job: Some(job),
    }))
}

pub async fn retry(
    state: &ServerState,
    request: Request<v1::RetryPublishJobRequest>,
) -> Result<Response<v1::RetryPublishJobResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let request = request.into_inner();
    let (id, request_id) = read(request.id, request.request_id)?;
    let job = publishing::retry(&state.context, &caller, &id, request_id).await?;
    let job = publish_job::to_proto(&Signer::new(&state.context, &call), job);
    Ok(Response::new(v1::RetryPublishJobResponse {
        publish_job: Some(job),
    }))
}

fn read(id: String, request_id: String) -> Result<(String, Option<String>), Problem> {
    let mut fields = Fields::default();
    let read = (fields.id("id", id), fields.optional_id("request_id", request_id));
    fields.done(read)
}

pub async fn resolve(
    state: &ServerState,
    request: Request<v1::ResolvePublishJobRequest>,
) -> Result<Response<v1::ResolvePublishJobResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let outcome = fields.required("outcome", request.outcome);
    let resolution = fields.done_with(outcome.map(publish_job::resolution))?;
    let job = publishing::resolve(&state.context, &caller, &id, resolution, request_id).await?;
    let job = publish_job::to_proto(&Signer::new(&state.context, &call), job);
    Ok(Response::new(v1::ResolvePublishJobResponse {
        publish_job: Some(job),
    }))
}
