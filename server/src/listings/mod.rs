//! `ListingService`: the workspace's listings.

mod change;
mod create;
mod preview;
mod read;
mod search;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};
use vintedbot_proto::v1;
use vintedbot_proto::v1::listing_service_server::{ListingService, ListingServiceServer};

use crate::media::methods::PhotoMethods;
use crate::state::ServerState;

/// The method whose message contains photos.
pub const WITH_PHOTOS: &str = "/vintedbot.v1.ListingService/CreateListingFromPhotos";

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let service = |limit| ListingServiceServer::new(Service(state.clone())).max_decoding_message_size(limit);
    routes.add_service(PhotoMethods {
        with_photos: service(state.config.max_upload_bytes),
        others: service(state.config.max_message_bytes),
        path: WITH_PHOTOS,
        admission: state.admission.clone(),
    });
}

struct Service(ServerState);

#[tonic::async_trait]
impl ListingService for Service {
    async fn create_listing(
        &self,
        request: Request<v1::CreateListingRequest>,
    ) -> Result<Response<v1::CreateListingResponse>, Status> {
        Ok(create::create(&self.0, request).await?)
    }

    async fn create_listing_from_photos(
        &self,
        request: Request<v1::CreateListingFromPhotosRequest>,
    ) -> Result<Response<v1::CreateListingFromPhotosResponse>, Status> {
        Ok(create::create_from_photos(&self.0, request).await?)
    }

    async fn get_listing(
        &self,
        request: Request<v1::GetListingRequest>,
    ) -> Result<Response<v1::GetListingResponse>, Status> {
        Ok(read::get(&self.0, request).await?)
    }

    async fn list_listings(
        &self,
        request: Request<v1::ListListingsRequest>,
    ) -> Result<Response<v1::ListListingsResponse>, Status> {
        Ok(read::list(&self.0, request).await?)
    }

    async fn search_listings(
        &self,
        request: Request<v1::SearchListingsRequest>,
    ) -> Result<Response<v1::SearchListingsResponse>, Status> {
        Ok(search::search(&self.0, request).await?)
    }

    async fn update_listing(
        &self,
        request: Request<v1::UpdateListingRequest>,
    ) -> Result<Response<v1::UpdateListingResponse>, Status> {
        Ok(change::update(&self.0, request).await?)
    }

    async fn delete_listing(
        &self,
        request: Request<v1::DeleteListingRequest>,
    ) -> Result<Response<v1::DeleteListingResponse>, Status> {
        Ok(change::delete(&self.0, request).await?)
    }

    async fn preview_listing(
        &self,
        request: Request<v1::PreviewListingRequest>,
    ) -> Result<Response<v1::PreviewListingResponse>, Status> {
        Ok(preview::preview(&self.0, request).await?)
    }
}
