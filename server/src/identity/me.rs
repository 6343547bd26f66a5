//! `GetMe`, `UpdateMe`, `ChangeEmail`.

use tonic::{Request, Response};
use vintedbot_domain::identity::{self, Password};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, api_token, user};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetMeRequest>,
) -> Result<Response<v1::GetMeResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let me = identity::get_me(&state.context, &caller).await?;
    Ok(Response::new(v1::GetMeResponse {
        workspace_name: me.workspace_name,
        api_token: me.token.map(api_token::to_proto),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        user: me.user.map(user::to_proto),
        session: me.session.map(|session| user::session(&caller, session)),
        scopes: caller
            .scopes
            .iter()
            .map(|scope| scope.name().to_owned())
            .collect(),
        workspace_id: caller.workspace_id,
    }))
}

pub async fn update(
    state: &ServerState,
    request: Request<v1::UpdateMeRequest>,
) -> Result<Response<v1::UpdateMeResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let display_name = request.into_inner().display_name;
    let changed = identity::update_me(&state.context, &caller, &display_name).await?;
    Ok(Response::new(v1::UpdateMeResponse {
        user: Some(user::to_proto(changed)),
    }))
}

pub async fn change_email(
    state: &ServerState,
    request: Request<v1::ChangeEmailRequest>,
) -> Result<Response<v1::ChangeEmailResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let new_email = fields.text("new_email", request.new_email);
    let password = Password::new(fields.text("password", request.password));
    let (new_email, password) = fields.done((new_email, password))?;
    identity::change_email(&state.context, &caller, &new_email, password).await?;
    Ok(Response::new(v1::ChangeEmailResponse {}))
}
