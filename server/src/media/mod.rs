//! `MediaService`: photos. The signed addresses that it gives out are answered in `http_api`.

mod delete;
mod read;
mod stream;
mod upload;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status, Streaming};
use vintedbot_proto::v1;
use vintedbot_proto::v1::media_service_server::{MediaService, MediaServiceServer};

use crate::state::ServerState;

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let limit = state.config.max_upload_bytes;
    routes.add_service(MediaServiceServer::new(Service(state.clone())).max_decoding_message_size(limit));
}

struct Service(ServerState);

#[tonic::async_trait]
impl MediaService for Service {
    async fn upload_photo(
        &self,
        request: Request<v1::UploadPhotoRequest>,
    ) -> Result<Response<v1::UploadPhotoResponse>, Status> {
        Ok(upload::upload(&self.0, request).await?)
    }

    async fn upload_photos(
        &self,
        request: Request<Streaming<v1::UploadPhotosRequest>>,
    ) -> Result<Response<v1::UploadPhotosResponse>, Status> {
        Ok(stream::upload(&self.0, request).await?)
    }

    async fn create_upload_url(
        &self,
        request: Request<v1::CreateUploadUrlRequest>,
    ) -> Result<Response<v1::CreateUploadUrlResponse>, Status> {
        Ok(upload::create_url(&self.0, request)?)
    }

    async fn get_photo(
        &self,
        request: Request<v1::GetPhotoRequest>,
    ) -> Result<Response<v1::GetPhotoResponse>, Status> {
        Ok(read::get(&self.0, request).await?)
    }

    async fn list_photos(
        &self,
        request: Request<v1::ListPhotosRequest>,
    ) -> Result<Response<v1::ListPhotosResponse>, Status> {
        Ok(read::list(&self.0, request).await?)
    }

    async fn delete_photo(
        &self,
        request: Request<v1::DeletePhotoRequest>,
    ) -> Result<Response<v1::DeletePhotoResponse>, Status> {
        Ok(delete::delete(&self.0, request).await?)
    }
}
