//! `MediaService`: photos. `http_api` serves the signed URLs that it issues.

pub mod admission;
mod delete;
pub mod methods;
pub mod pace;
mod read;
mod stream;
mod upload;

use std::time::Duration;

use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status, Streaming};
use vintedbot_domain as domain;
use vintedbot_proto::v1;
use vintedbot_proto::v1::media_service_server::{MediaService, MediaServiceServer};

use self::methods::PhotoMethods;
use crate::errors::Problem;
use crate::state::ServerState;

/// The time that photo processing gets after the shutdown request. Photos of common sizes are finished by then.
const GRACE: Duration = Duration::from_secs(1);

/// The method whose message contains a photo. The messages of `UploadPhotos` are parts, with the usual limit.
pub const WITH_PHOTO: &str = "/vintedbot.v1.MediaService/UploadPhoto";

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let service = |limit| MediaServiceServer::new(Service(state.clone())).max_decoding_message_size(limit);
    routes.add_service(PhotoMethods {
        with_photos: service(state.config.max_upload_bytes),
        others: service(state.config.max_message_bytes),
        path: WITH_PHOTO,
        admission: state.admission.clone(),
    });
}

/// Runs the processing of a photo. At shutdown, work that does not end soon is cancelled, and nothing is stored.
pub async fn until_shutdown<T>(
    state: &ServerState,
    work: impl Future<Output = Result<T, domain::Error>>,
) -> Result<T, Problem> {
    let ended = async {
        state.shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = work => Ok(result?),
        () = ended => Err(Problem::shutting_down()),
    }
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
