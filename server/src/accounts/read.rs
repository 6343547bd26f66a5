//! `GetAccount`, `ListAccounts`.

use tonic::{Request, Response};
use vintedbot_domain::accounts::{self, Account};
use vintedbot_domain::inbox::sync;
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use super::shown;
use crate::auth;
use crate::convert::{Fields, account};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetAccountRequest>,
) -> Result<Response<v1::GetAccountResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let account = accounts::get(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::GetAccountResponse {
        account: Some(shown(state, account).await?),
    }))
}

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListAccountsRequest>,
) -> Result<Response<v1::ListAccountsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = accounts::list(&state.context, &caller, &page).await?;
    let mut fresh = sync::freshness(&state.context, &page.items).await?;
    let shown = |one: Account| {
        let fresh = fresh.remove(&one.id).unwrap_or_default();
        account::with_freshness(one, fresh)
    };
    Ok(Response::new(v1::ListAccountsResponse {
        accounts: page.items.into_iter().map(shown).collect(),
        next_page_token: page.next_page_token,
    }))
}
