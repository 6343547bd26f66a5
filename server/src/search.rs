//! `MarketplaceSearchService`: an extension point. This server does not implement the search.

use tonic::service::RoutesBuilder;
use tonic::{Code, Request, Response, Status};
use vintedbot_domain::identity::Scope;
use vintedbot_proto::v1;
use vintedbot_proto::v1::ErrorReason;
use vintedbot_proto::v1::marketplace_search_service_server::{
    MarketplaceSearchService, MarketplaceSearchServiceServer,
};

use crate::auth;
use crate::errors::Problem;
use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_message_bytes;
    routes.add_service(MarketplaceSearchServiceServer::new(Service).max_decoding_message_size(limit));
}

struct Service;

#[tonic::async_trait]
impl MarketplaceSearchService for Service {
    async fn search_items(
        &self,
        request: Request<v1::SearchItemsRequest>,
    ) -> Result<Response<v1::SearchItemsResponse>, Status> {
        Ok(refuse(&request)?)
    }
}

fn refuse(request: &Request<v1::SearchItemsRequest>) -> Result<Response<v1::SearchItemsResponse>, Problem> {
    auth::caller(request)?.require(Scope::CatalogRead)?;
    let message = "this server has no marketplace search";
    Err(Problem::new(
        Code::Unimplemented,
        ErrorReason::SearchUnavailable,
        message,
    ))
}
