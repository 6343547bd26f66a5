//! `CreateAccount`.

use tonic::{Request, Response};
use vintedbot_domain::accounts::{self, NewAccount};
use vintedbot_proto::v1;

use super::shown;
use crate::auth;
use crate::convert::{Fields, account};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn create(
    state: &ServerState,
    request: Request<v1::CreateAccountRequest>,
) -> Result<Response<v1::CreateAccountResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let new = read(request.into_inner())?;
    let account = accounts::create(&state.context, &caller, new).await?;
    Ok(Response::new(v1::CreateAccountResponse {
        account: Some(shown(state, account).await?),
    }))
}

fn read(request: v1::CreateAccountRequest) -> Result<NewAccount, Problem> {
    let mut fields = Fields::default();
    let new = NewAccount {
        display_name: request.display_name,
        market: request.market,
        language: request.language,
        mode: request
            .mode
            .and_then(|mode| fields.enumeration("mode", mode, account::from_mode)),
        second_account_acknowledged: request.second_account_acknowledged,
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(new)
}
