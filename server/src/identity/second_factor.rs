//! `EnrollSecondFactor`, `ConfirmSecondFactor`, `DisableSecondFactor`.

use tonic::{Request, Response};
use vintedbot_domain::identity::{self, Password};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::Fields;
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn enroll(
    state: &ServerState,
    request: Request<v1::EnrollSecondFactorRequest>,
) -> Result<Response<v1::EnrollSecondFactorResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let password = Password::new(fields.text("password", request.into_inner().password));
    let enrollment = identity::enroll_second_factor(&state.context, &caller, fields.done(password)?).await?;
    Ok(Response::new(v1::EnrollSecondFactorResponse {
        secret: enrollment.secret.as_str().to_owned(),
        uri: enrollment.uri.as_str().to_owned(),
    }))
}

pub async fn confirm(
    state: &ServerState,
    request: Request<v1::ConfirmSecondFactorRequest>,
) -> Result<Response<v1::ConfirmSecondFactorResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let code = fields.text("code", request.into_inner().code);
    let recovery_codes =
        identity::confirm_second_factor(&state.context, &caller, &fields.done(code)?).await?;
    Ok(Response::new(v1::ConfirmSecondFactorResponse { recovery_codes }))
}

pub async fn disable(
    state: &ServerState,
    request: Request<v1::DisableSecondFactorRequest>,
) -> Result<Response<v1::DisableSecondFactorResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let password = Password::new(fields.text("password", request.password));
    let code = fields.text("code", request.code);
    let (password, code) = fields.done((password, code))?;
    identity::disable_second_factor(&state.context, &caller, password, &code).await?;
    Ok(Response::new(v1::DisableSecondFactorResponse {}))
}
