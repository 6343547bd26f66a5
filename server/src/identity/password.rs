//! `RequestPasswordReset`, `ResetPassword`, `ChangePassword`.

use tonic::{Request, Response};
use vintedbot_domain::identity::{self, Password};
use vintedbot_proto::v1;

use crate::convert::Fields;
use crate::errors::Problem;
use crate::state::ServerState;
use crate::{auth, client};

pub async fn request_reset(
    state: &ServerState,
    request: Request<v1::RequestPasswordResetRequest>,
) -> Result<Response<v1::RequestPasswordResetResponse>, Problem> {
    let client = client::client(state, &request, "");
    let mut fields = Fields::default();
    let email = fields.text("email", request.into_inner().email);
    identity::request_password_reset(&state.context, &client, &fields.done(email)?).await?;
    Ok(Response::new(v1::RequestPasswordResetResponse {}))
}

pub async fn reset(
    state: &ServerState,
    request: Request<v1::ResetPasswordRequest>,
) -> Result<Response<v1::ResetPasswordResponse>, Problem> {
    let client = client::client(state, &request, "");
    let request = request.into_inner();
    let mut fields = Fields::default();
    let token = fields.text("token", request.token);
    let new = Password::new(fields.text("new_password", request.new_password));
    let (token, new) = fields.done((token, new))?;
    identity::reset_password(&state.context, &client, &token, new).await?;
    Ok(Response::new(v1::ResetPasswordResponse {}))
}

pub async fn change(
    state: &ServerState,
    request: Request<v1::ChangePasswordRequest>,
) -> Result<Response<v1::ChangePasswordResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let current = Password::new(fields.text("current_password", request.current_password));
    let new = Password::new(fields.text("new_password", request.new_password));
    let (current, new) = fields.done((current, new))?;
    identity::change_password(&state.context, &caller, current, new).await?;
    Ok(Response::new(v1::ChangePasswordResponse {}))
}
