//! `SyncNow`: waits for the worker's result until the caller's deadline. The sync continues after that.

use tonic::{Request, Response};
use vintedbot_domain::inbox::sync;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, saturating_i32};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn sync_now(
    state: &ServerState,
    request: Request<v1::SyncNowRequest>,
) -> Result<Response<v1::SyncNowResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.into_inner().account_id);
    let account_id = fields.done(account_id)?;
    let counts = sync::sync_now(&state.context, &caller, &account_id).await?;
    Ok(Response::new(v1::SyncNowResponse {
        requests: saturating_i32(counts.requests),
        new_threads: saturating_i32(counts.new_threads),
        new_messages: saturating_i32(counts.new_messages),
    }))
}
