//! `LeaveWorkspace`, `DeleteWorkspace`. Both end the caller's session, so they remove its cookies.

use tonic::{Request, Response};
use vintedbot_domain::identity::{self, Password};
use vintedbot_proto::v1;

use crate::convert::Fields;
use crate::errors::Problem;
use crate::state::ServerState;
use crate::{auth, cookies};

pub async fn leave(
    state: &ServerState,
    request: Request<v1::LeaveWorkspaceRequest>,
) -> Result<Response<v1::LeaveWorkspaceResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let password = Password::new(fields.text("password", request.into_inner().password));
    identity::leave_workspace(&state.context, &caller, fields.done(password)?).await?;
    let mut response = Response::new(v1::LeaveWorkspaceResponse {});
    cookies::clear(&state.config, &mut response);
    Ok(response)
}

pub async fn delete(
    state: &ServerState,
    request: Request<v1::DeleteWorkspaceRequest>,
) -> Result<Response<v1::DeleteWorkspaceResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let password = Password::new(fields.text("password", request.password));
    let name = fields.text("workspace_name", request.workspace_name);
    let (password, name) = fields.done((password, name))?;
    identity::delete_workspace(&state.context, &caller, password, &name).await?;
    let mut response = Response::new(v1::DeleteWorkspaceResponse {});
    cookies::clear(&state.config, &mut response);
    Ok(response)
}
