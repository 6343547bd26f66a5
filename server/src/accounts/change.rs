//! `UpdateAccount`, `DeleteAccount`.

use tonic::{Request, Response};
use vintedbot_domain::accounts::{self, Update};
use vintedbot_proto::v1;

use super::shown;
use crate::auth;
use crate::convert::{Fields, saturating_i64};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn update(
    state: &ServerState,
    request: Request<v1::UpdateAccountRequest>,
) -> Result<Response<v1::UpdateAccountResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let update = read(request.into_inner())?;
    let account = accounts::update(&state.context, &caller, update).await?;
    Ok(Response::new(v1::UpdateAccountResponse {
        account: Some(shown(state, account).await?),
    }))
}

fn read(request: v1::UpdateAccountRequest) -> Result<Update, Problem> {
    let mut fields = Fields::default();
    let account = fields.required("account", request.account).unwrap_or_default();
    let update = Update {
        id: fields.id("id", request.id),
        display_name: account.display_name,
        language: account.language,
        publish_limit_per_minute: account.publish_limit_per_minute.map(i64::from),
        mask: fields.mask("update_mask", request.update_mask),
        expected_sequence: request.expected_sequence.map(saturating_i64),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(update)
}

pub async fn delete(
    state: &ServerState,
    request: Request<v1::DeleteAccountRequest>,
) -> Result<Response<v1::DeleteAccountResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("id", request.id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (id, request_id) = fields.done((id, request_id))?;
    accounts::delete(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::DeleteAccountResponse {}))
}
