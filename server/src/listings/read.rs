//! `GetListing`, `ListListings`.

use tonic::{Request, Response};
use vintedbot_domain::listings::{self, Filter};
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, listing};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetListingRequest>,
) -> Result<Response<v1::GetListingResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let listing = listings::get(&state.context, &caller, &id).await?;
    Ok(Response::new(v1::GetListingResponse {
        listing: Some(listing::to_proto(listing)),
    }))
}

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListListingsRequest>,
) -> Result<Response<v1::ListListingsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let (filter, page) = read(request.into_inner())?;
    let page = listings::list(&state.context, &caller, &filter, &page).await?;
    Ok(Response::new(v1::ListListingsResponse {
        listings: page.items.into_iter().map(listing::to_proto).collect(),
        next_page_token: page.next_page_token,
    }))
}

fn read(request: v1::ListListingsRequest) -> Result<(Filter, PageRequest), Problem> {
    let mut fields = Fields::default();
    let filter = Filter {
        account_id: fields
            .optional_id("account_id", request.account_id)
            .unwrap_or_default(),
        states: fields.enumerations("states", request.states, listing::from_state),
        title_contains: request.title_contains,
    };
    fields.done((
        filter,
        PageRequest {
            size: request.page_size,
            token: request.page_token,
        },
    ))
}
