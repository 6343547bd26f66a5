//! `WardrobeService`: imports of an account's items on the site.

mod accept;
mod import;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use vintedbot_proto::v1;
use vintedbot_proto::v1::wardrobe_service_server::{WardrobeService, WardrobeServiceServer};

use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_message_bytes;
    routes.add_service(WardrobeServiceServer::new(Service(state.clone())).max_decoding_message_size(limit));
}

struct Service(ServerState);

#[tonic::async_trait]
impl WardrobeService for Service {
    async fn import_wardrobe(
        &self,
        request: Request<v1::ImportWardrobeRequest>,
    ) -> Result<Response<v1::ImportWardrobeResponse>, Status> {
        Ok(import::import(&self.0, request).await?)
    }

    async fn get_wardrobe_import(
        &self,
        request: Request<v1::GetWardrobeImportRequest>,
    ) -> Result<Response<v1::GetWardrobeImportResponse>, Status> {
        Ok(import::get(&self.0, request).await?)
    }

    async fn accept_remote_changes(
        &self,
        request: Request<v1::AcceptRemoteChangesRequest>,
    ) -> Result<Response<v1::AcceptRemoteChangesResponse>, Status> {
        Ok(accept::accept(&self.0, request).await?)
    }
}
