//! `ListSizes`, `ListColors`, `ListConditions`, `ListPackageSizes`.

use tonic::{Request, Response};
use vintedbot_domain::catalog;
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, catalog as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn sizes(
    state: &ServerState,
    request: Request<v1::ListSizesRequest>,
) -> Result<Response<v1::ListSizesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.account_id);
    if request.category_id == 0 {
        fields.wrong("category_id", "is required");
    }
    let account_id = fields.done(account_id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = catalog::sizes(&state.context, &caller, &account_id, request.category_id, &page).await?;
    Ok(Response::new(v1::ListSizesResponse {
        sizes: page.items.into_iter().map(convert::size).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn colors(
    state: &ServerState,
    request: Request<v1::ListColorsRequest>,
) -> Result<Response<v1::ListColorsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.account_id);
    let account_id = fields.done(account_id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = catalog::colors(&state.context, &caller, &account_id, &page).await?;
    Ok(Response::new(v1::ListColorsResponse {
        colors: page.items.into_iter().map(convert::color).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn conditions(
    state: &ServerState,
    request: Request<v1::ListConditionsRequest>,
) -> Result<Response<v1::ListConditionsResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.account_id);
    let account_id = fields.done(account_id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = catalog::conditions(&state.context, &caller, &account_id, request.category_id, &page).await?;
    Ok(Response::new(v1::ListConditionsResponse {
        conditions: page.items.into_iter().map(convert::condition).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn package_sizes(
    state: &ServerState,
    request: Request<v1::ListPackageSizesRequest>,
) -> Result<Response<v1::ListPackageSizesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.account_id);
    let account_id = fields.done(account_id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page =
        catalog::package_sizes(&state.context, &caller, &account_id, request.category_id, &page).await?;
    Ok(Response::new(v1::ListPackageSizesResponse {
        package_sizes: page.items.into_iter().map(convert::package_size).collect(),
        next_page_token: page.next_page_token,
    }))
}
