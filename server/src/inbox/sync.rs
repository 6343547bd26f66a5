//! `SyncNow`.

use tonic::{Code, Request, Response};
use vintedbot_domain::identity::Scope;
use vintedbot_proto::v1;
use vintedbot_proto::v1::ErrorReason;

use crate::auth;
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn sync_now(
    _: &ServerState,
    request: Request<v1::SyncNowRequest>,
) -> Result<Response<v1::SyncNowResponse>, Problem> {
    auth::caller(&request)?.require(Scope::InboxWrite)?;
    Err(not_yet())
}

fn not_yet() -> Problem {
    Problem::new(
        Code::Unimplemented,
        ErrorReason::Unimplemented,
        "this server cannot do that yet",
    )
}
