//! `SearchBrands`.

use tonic::{Request, Response};
use vintedbot_domain::catalog;
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, catalog as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn search(
    state: &ServerState,
    request: Request<v1::SearchBrandsRequest>,
) -> Result<Response<v1::SearchBrandsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.account_id);
    let account_id = fields.done(account_id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let (query, category_id) = (&request.query, request.category_id);
    let page =
        catalog::search_brands(&state.context, &caller, &account_id, query, category_id, &page).await?;
    Ok(Response::new(v1::SearchBrandsResponse {
        brands: page.items.into_iter().map(convert::brand).collect(),
        next_page_token: page.next_page_token,
    }))
}
