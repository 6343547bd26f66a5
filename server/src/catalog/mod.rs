//! `CatalogService`: the marketplace's catalogue.

mod brands;
mod categories;
mod choices;
mod names;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use vintedbot_proto::v1;
use vintedbot_proto::v1::catalog_service_server::{CatalogService, CatalogServiceServer};

use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_message_bytes;
    routes.add_service(CatalogServiceServer::new(Service(state.clone())).max_decoding_message_size(limit));
}

struct Service(ServerState);

#[tonic::async_trait]
impl CatalogService for Service {
    async fn list_categories(
        &self,
        request: Request<v1::ListCategoriesRequest>,
    ) -> Result<Response<v1::ListCategoriesResponse>, Status> {
        Ok(categories::list(&self.0, request).await?)
    }

    async fn get_category(
        &self,
        request: Request<v1::GetCategoryRequest>,
    ) -> Result<Response<v1::GetCategoryResponse>, Status> {
        Ok(categories::get(&self.0, request).await?)
    }

    async fn search_brands(
        &self,
        request: Request<v1::SearchBrandsRequest>,
    ) -> Result<Response<v1::SearchBrandsResponse>, Status> {
        Ok(brands::search(&self.0, request).await?)
    }

    async fn list_sizes(
        &self,
        request: Request<v1::ListSizesRequest>,
    ) -> Result<Response<v1::ListSizesResponse>, Status> {
        Ok(choices::sizes(&self.0, request).await?)
    }

    async fn list_colors(
        &self,
        request: Request<v1::ListColorsRequest>,
    ) -> Result<Response<v1::ListColorsResponse>, Status> {
        Ok(choices::colors(&self.0, request).await?)
    }

    async fn list_conditions(
        &self,
        request: Request<v1::ListConditionsRequest>,
    ) -> Result<Response<v1::ListConditionsResponse>, Status> {
        Ok(choices::conditions(&self.0, request).await?)
    }

    async fn list_package_sizes(
        &self,
        request: Request<v1::ListPackageSizesRequest>,
    ) -> Result<Response<v1::ListPackageSizesResponse>, Status> {
        Ok(choices::package_sizes(&self.0, request).await?)
    }

    async fn resolve_names(
        &self,
        request: Request<v1::ResolveNamesRequest>,
    ) -> Result<Response<v1::ResolveNamesResponse>, Status> {
        Ok(names::resolve(&self.0, request).await?)
    }
}
