//! `SetMode`, `ResumeAccount`.

use tonic::{Request, Response};
use vintedbot_domain::accounts::{self, Mode, SetMode};
use vintedbot_proto::v1;

use super::shown;
use crate::auth;
use crate::convert::{Fields, account};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn set_mode(
    state: &ServerState,
    request: Request<v1::SetModeRequest>,
) -> Result<Response<v1::SetModeResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let set = read(request.into_inner())?;
    let (account, cancelled_publish_job_ids) = accounts::set_mode(&state.context, &caller, set).await?;
    Ok(Response::new(v1::SetModeResponse {
        account: Some(shown(state, account).await?),
        cancelled_publish_job_ids,
    }))
}

fn read(request: v1::SetModeRequest) -> Result<SetMode, Problem> {
    let mut fields = Fields::default();
    let set = SetMode {
        id: fields.id("id", request.id),
        mode: fields
            .enumeration("mode", request.mode, account::from_mode)
            .unwrap_or(Mode::Mock),
        automated_acknowledged: request.automated_acknowledged,
        second_account_acknowledged: request.second_account_acknowledged,
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(set)
}

pub async fn resume(
    state: &ServerState,
    request: Request<v1::ResumeAccountRequest>,
) -> Result<Response<v1::ResumeAccountResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (id, request_id) = fields.done((id, request_id))?;
    let account = accounts::resume(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::ResumeAccountResponse {
        account: Some(shown(state, account).await?),
    }))
}
