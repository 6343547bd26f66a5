//! `PrepareThreadRemoval`, `ConfirmThreadRemoval`.

use tonic::{Request, Response};
use vintedbot_domain::inbox::removal::{self, Confirm};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, inbox as convert, timestamp};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn prepare(
    state: &ServerState,
    request: Request<v1::PrepareThreadRemovalRequest>,
) -> Result<Response<v1::PrepareThreadRemovalResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let prepared = removal::prepare(&state.context, &caller, &fields.done(id)?).await?;
    Ok(Response::new(v1::PrepareThreadRemovalResponse {
        thread: Some(convert::thread(prepared.thread)),
        confirmation: Some(v1::Confirmation {
            confirm_token: prepared.token,
            expire_time: Some(timestamp(prepared.expire_time)),
            revision_hash: prepared.content_hash,
        }),
    }))
}

pub async fn confirm(
    state: &ServerState,
    request: Request<v1::ConfirmThreadRemovalRequest>,
) -> Result<Response<v1::ConfirmThreadRemovalResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let confirm = Confirm {
        id: fields.id("id", request.id),
        token: request
            .confirmation
            .map(|confirmation| confirmation.confirm_token)
            .unwrap_or_default(),
        dry_run: request.dry_run.unwrap_or(true),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    let thread = removal::confirm(&state.context, &caller, fields.done(confirm)?).await?;
    Ok(Response::new(v1::ConfirmThreadRemovalResponse {
        thread: Some(convert::thread(thread)),
    }))
}
