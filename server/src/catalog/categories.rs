//! `ListCategories`, `GetCategory`.

use tonic::{Request, Response};
use vintedbot_domain::catalog;
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::auth;
use crate::convert::{Fields, catalog as convert};
use crate::errors::Problem;
use crate::state::ServerState;

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListCategoriesRequest>,
) -> Result<Response<v1::ListCategoriesResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.account_id);
    let account_id = fields.done(account_id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let (parent_id, recursive) = (request.parent_id, request.recursive);
    let page =
        catalog::list_categories(&state.context, &caller, &account_id, parent_id, recursive, &page).await?;
    Ok(Response::new(v1::ListCategoriesResponse {
        categories: page.items.into_iter().map(convert::category).collect(),
        next_page_token: page.next_page_token,
    }))
}

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetCategoryRequest>,
) -> Result<Response<v1::GetCategoryResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let request = request.into_inner();
    let mut fields = Fields::default();
    let account_id = fields.id("account_id", request.account_id);
    if request.id == 0 {
        fields.wrong("id", "is required");
    }
    let account_id = fields.done(account_id)?;
    let (category, form) = catalog::category(&state.context, &caller, &account_id, request.id).await?;
    Ok(Response::new(v1::GetCategoryResponse {
        category: Some(convert::category(category)),
        fields: form.into_iter().map(convert::field).collect(),
    }))
}
