//! `SyncNow`: waits for what the worker reads, until the caller's deadline ends the call; the reading goes on then.

use tonic::{Request, Response};
use vintedbot_domain::identity::Scope;
use vintedbot_domain::inbox::sync;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, small};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn sync_now(
    state: &ServerState,
    request: Request<v1::SyncNowRequest>,
) -> Result<Response<v1::SyncNowResponse>, Problem> {
    let caller = auth::caller(&request)?;
    caller.require(Scope::InboxWrite)?;
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.into_inner().account_id);
    let account_id = fields.done(account_id)?;
    let counts = sync::sync_now(&state.domain, &caller, &account_id).await?;
    Ok(Response::new(v1::SyncNowResponse {
        requests: small(counts.requests),
        new_threads: small(counts.new_threads),
        new_messages: small(counts.new_messages),
    }))
}
