//! `Register`, `VerifyEmail`.

use tonic::{Request, Response};
use vintedbot_domain::identity::{self, Password, Registration};
use vintedbot_proto::v1;

use crate::client;
use crate::convert::Fields;
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn register(
    state: &ServerState,
    request: Request<v1::RegisterRequest>,
) -> Result<Response<v1::RegisterResponse>, Problem> {
    let client = client::client(state, &request, "");
    let request = request.into_inner();
    let registration = Registration {
        email: request.email,
        password: Password::new(request.password),
        display_name: request.display_name,
        workspace_name: request.workspace_name,
        invitation_token: request.invitation_token,
    };
    let verification_required = identity::register(&state.context, &client, registration).await?;
    Ok(Response::new(v1::RegisterResponse {
        verification_required,
    }))
}

pub async fn verify_email(
    state: &ServerState,
    request: Request<v1::VerifyEmailRequest>,
) -> Result<Response<v1::VerifyEmailResponse>, Problem> {
    let client = client::client(state, &request, "");
    let mut fields = Fields::default();
    let token = fields.text("token", request.into_inner().token);
    let email = identity::verify_email(&state.context, &client, &fields.done(token)?).await?;
    Ok(Response::new(v1::VerifyEmailResponse { email }))
}
