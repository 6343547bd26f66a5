//! `WhoAmI`.

use tonic::{Request, Response};
use vintedbot_domain::identity;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::api_token;
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn who_am_i(
    state: &ServerState,
    request: Request<v1::WhoAmIRequest>,
) -> Result<Response<v1::WhoAmIResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let (workspace_name, token) = identity::who_am_i(&state.context, &caller).await?;
    Ok(Response::new(v1::WhoAmIResponse {
        workspace_id: caller.workspace_id,
        workspace_name,
        api_token: Some(api_token::to_proto(token)),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}
