//! `SearchListings`.

use tonic::{Request, Response};
use vintedbot_domain::paging::PageRequest;
use vintedbot_domain::search::{self, Filter};
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, search as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn search(
    state: &ServerState,
    request: Request<v1::SearchListingsRequest>,
) -> Result<Response<v1::SearchListingsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let (query, filter, page) = read(request.into_inner())?;
    let answer = search::search_listings(&state.context, &caller, &query, &filter, &page).await?;
    Ok(Response::new(v1::SearchListingsResponse {
        results: answer.page.items.into_iter().map(convert::listing_hit).collect(),
        next_page_token: answer.page.next_page_token,
        index_complete: answer.index_complete,
    }))
}

fn read(request: v1::SearchListingsRequest) -> Result<(String, Filter, PageRequest), Problem> {
    let mut fields = Fields::default();
    let filter = Filter {
        account_id: fields.optional_id("account_id", request.account_id),
        from: fields.time("start_time", request.start_time),
        until: fields.time("end_time", request.end_time),
        has_photo: request.has_photo,
        ..Filter::default()
    };
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    fields.done((request.query, filter, page))
}
