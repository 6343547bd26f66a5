//! `ImportSession`, `CheckSession`, `ForgetSession`. The first two wait for the worker's result until the caller's
//! deadline. The job continues after that.

use tonic::{Request, Response};
use vintedbot_domain::accounts::{self, ImportSession, SessionSource};
use vintedbot_proto::v1;
use vintedbot_proto::v1::import_session_request::Source;
use zeroize::Zeroizing;

use super::shown;
use crate::auth;
use crate::convert::Fields;
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn import(
    state: &ServerState,
    request: Request<v1::ImportSessionRequest>,
) -> Result<Response<v1::ImportSessionResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let import = read(request.into_inner())?;
    let imported = accounts::import_session(&state.context, &caller, import).await?;
    Ok(Response::new(v1::ImportSessionResponse {
        account: Some(shown(state, imported.account).await?),
        dropped_cookies: imported.dropped,
        missing_cookies: imported.missing,
    }))
}

fn read(request: v1::ImportSessionRequest) -> Result<ImportSession, Problem> {
    let mut fields = Fields::default();
    let source = match request.source {
        Some(Source::CookieHeader(text)) => Some(SessionSource::CookieHeader(Zeroizing::new(text))),
        Some(Source::BrowserExport(text)) => Some(SessionSource::BrowserExport(Zeroizing::new(text))),
        None => None,
    };
    let source = fields.required("source", source);
    let account_id = fields.id("account_id", request.account_id);
    let expire_time = fields.time("expire_time", request.expire_time);
    let request_id = fields.optional_id("request_id", request.request_id);
    let import = source.map(|source| ImportSession {
        account_id,
        source,
        user_agent: request.user_agent,
        expire_time,
        accept_other_member: request.accept_other_member,
        request_id,
    });
    fields.done_with(import)
}

pub async fn check(
    state: &ServerState,
    request: Request<v1::CheckSessionRequest>,
) -> Result<Response<v1::CheckSessionResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("account_id", request.into_inner().account_id);
    let id = fields.done(id)?;
    let account = accounts::check_session(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::CheckSessionResponse {
        account: Some(shown(state, account).await?),
    }))
}

pub async fn forget(
    state: &ServerState,
    request: Request<v1::ForgetSessionRequest>,
) -> Result<Response<v1::ForgetSessionResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let id = fields.id("account_id", request.account_id);
    let request_id = fields.optional_id("request_id", request.request_id);
    let (id, request_id) = fields.done((id, request_id))?;
    let account = accounts::forget_session(&state.context, &caller, &id, request_id).await?;
    Ok(Response::new(v1::ForgetSessionResponse {
        account: Some(shown(state, account).await?),
    }))
}
