//! `GetInboxCounts`, `GetPerson`.

use tonic::{Request, Response};
use vintedbot_domain::inbox;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, inbox as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn counts(
    state: &ServerState,
    request: Request<v1::GetInboxCountsRequest>,
) -> Result<Response<v1::GetInboxCountsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let counts = inbox::counts(&state.context, &caller).await?;
    Ok(Response::new(convert::counts(counts)))
}

pub async fn person(
    state: &ServerState,
    request: Request<v1::GetPersonRequest>,
) -> Result<Response<v1::GetPersonResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let page = inbox::person(&state.context, &caller, &id).await?;
    Ok(Response::new(convert::person_page(page)))
}
