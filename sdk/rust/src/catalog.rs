//! The marketplace's catalogue: categories, brands, sizes and other choices.

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

/// `CatalogService`; see [`Client::catalog`](crate::Client::catalog). Names are in the account's language. If the
/// account's catalogue has not been read yet, calls fail with `CATALOG_NOT_READY` and are repeated within the limits of
/// the [`RetryPolicy`](crate::RetryPolicy).
#[derive(Clone)]
pub struct Catalog {
    pub(crate) calls: Calls,
}

impl Catalog {
    /// Lists the children of a category, or all its descendants, parents before children.
    pub fn categories(&self, request: ListCategoriesRequest) -> Paged<Category> {
        self.calls
            .pages(request, call!(CatalogServiceClient::list_categories))
    }

    /// Returns one category. A leaf has its required and optional fields.
    pub async fn category(&self, account_id: impl Into<String>, id: i64) -> Result<GetCategoryResponse> {
        let request = GetCategoryRequest {
            account_id: account_id.into(),
            id,
        };
        self.calls
            .read(request, call!(CatalogServiceClient::get_category))
            .await
    }

    /// Finds brands whose name starts with or contains the given words, best match first.
    pub fn brands(&self, request: SearchBrandsRequest) -> Paged<Brand> {
        self.calls
            .pages(request, call!(CatalogServiceClient::search_brands))
    }

    /// Lists the sizes of a leaf category.
    pub fn sizes(&self, account_id: impl Into<String>, category_id: i64) -> Paged<Size> {
        let request = ListSizesRequest {
            account_id: account_id.into(),
            category_id,
            ..Default::default()
        };
        self.calls.pages(request, call!(CatalogServiceClient::list_sizes))
    }

    /// Lists the colours.
    pub fn colors(&self, account_id: impl Into<String>) -> Paged<Color> {
        let request = ListColorsRequest {
            account_id: account_id.into(),
            ..Default::default()
        };
        self.calls
            .pages(request, call!(CatalogServiceClient::list_colors))
    }

    /// Lists the conditions of an item, best first.
    pub fn conditions(&self, request: ListConditionsRequest) -> Paged<Condition> {
        self.calls
            .pages(request, call!(CatalogServiceClient::list_conditions))
    }

    /// Lists the package sizes, smallest first.
    pub fn package_sizes(&self, request: ListPackageSizesRequest) -> Paged<PackageSize> {
        self.calls
            .pages(request, call!(CatalogServiceClient::list_package_sizes))
    }

    /// Resolves names to entries of the catalogue, in the order of the queries. An ambiguous or unknown name is a
    /// result, not an error.
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
