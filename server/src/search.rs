//! `MarketplaceSearchService`: an extension point. This server does not implement the search.

use tonic::service::RoutesBuilder;
use tonic::{Code, Request, Response, Status};
use vintedbot_proto::v1;
use vintedbot_proto::v1::ErrorReason;
use vintedbot_proto::v1::marketplace_search_service_server::{
    MarketplaceSearchService, MarketplaceSearchServiceServer,
};

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
        _: Request<v1::SearchItemsRequest>,
    ) -> Result<Response<v1::SearchItemsResponse>, Status> {
        let message = "this server has no marketplace search";
        let problem = Problem::new(Code::Unimplemented, ErrorReason::SearchUnavailable, message);
        Err(problem.into())
    }
}
