//! What the marketplace knows: categories, brands, sizes and the like.

use vintedbot_proto::v1::catalog_service_client::CatalogServiceClient;
use vintedbot_proto::v1::resolve_names_request::Query;
use vintedbot_proto::v1::resolve_names_response;
use vintedbot_proto::v1::{
    Brand, Category, Color, Condition, GetCategoryRequest, GetCategoryResponse, ListCategoriesRequest,
    ListColorsRequest, ListConditionsRequest, ListPackageSizesRequest, ListSizesRequest, PackageSize,
    ResolveNamesRequest, SearchBrandsRequest, Size,
};

use crate::call::{Calls, call};
use crate::{Paged, Result};

/// `CatalogService`; see [`Client::catalog`](crate::Client::catalog). Names are in the account's language. An account whose
/// catalogue has not been read yet answers `CATALOG_NOT_READY`, which is waited for as far as the
/// [`RetryPolicy`](crate::RetryPolicy) goes.
#[derive(Clone)]
pub struct Catalog {
    pub(crate) calls: Calls,
}

impl Catalog {
    /// The children of a category, or all below it; parents before their children.
    pub fn categories(&self, request: ListCategoriesRequest) -> Paged<Category> {
        self.calls
            .pages(request, call!(CatalogServiceClient::list_categories))
    }

    /// One category, with the fields that a leaf asks for and allows.
    pub async fn category(&self, account_id: impl Into<String>, id: i64) -> Result<GetCategoryResponse> {
        let request = GetCategoryRequest {
            account_id: account_id.into(),
            id,
        };
        self.calls
            .read(request, call!(CatalogServiceClient::get_category))
            .await
    }

    /// Brands whose name begins with or holds the words given, best match first.
    pub fn brands(&self, request: SearchBrandsRequest) -> Paged<Brand> {
        self.calls
            .pages(request, call!(CatalogServiceClient::search_brands))
    }

    /// The sizes of a leaf category.
    pub fn sizes(&self, account_id: impl Into<String>, category_id: i64) -> Paged<Size> {
        let request = ListSizesRequest {
            account_id: account_id.into(),
            category_id,
            ..Default::default()
        };
        self.calls.pages(request, call!(CatalogServiceClient::list_sizes))
    }

    /// The colours.
    pub fn colors(&self, account_id: impl Into<String>) -> Paged<Color> {
        let request = ListColorsRequest {
            account_id: account_id.into(),
            ..Default::default()
        };
        self.calls
            .pages(request, call!(CatalogServiceClient::list_colors))
    }

    /// The conditions an item can be in, best first.
    pub fn conditions(&self, request: ListConditionsRequest) -> Paged<Condition> {
        self.calls
            .pages(request, call!(CatalogServiceClient::list_conditions))
    }

    /// The sizes of parcel, smallest first.
    pub fn package_sizes(&self, request: ListPackageSizesRequest) -> Paged<PackageSize> {
        self.calls
            .pages(request, call!(CatalogServiceClient::list_package_sizes))
    }

    /// What names stand for, in the order of the queries. An ambiguous or unknown name is an answer, not an error.
    pub async fn resolve(
        &self,
        account_id: impl Into<String>,
        queries: impl IntoIterator<Item = Query>,
    ) -> Result<Vec<resolve_names_response::Result>> {
        let request = ResolveNamesRequest {
            account_id: account_id.into(),
            queries: queries.into_iter().collect(),
        };
        let answer = self
            .calls
            .read(request, call!(CatalogServiceClient::resolve_names))
            .await?;
        Ok(answer.results)
    }
}
