//! `MediaService`: photos. The signed addresses that it gives out are answered in `http_api`.

mod delete;
pub mod gate;
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

/// How long photos may be worked on after the process was asked to end: those of common sizes are done by then.
const GRACE: Duration = Duration::from_secs(1);

/// The method that takes a photo in its message. Of `UploadPhotos` each message is a part, and no larger than others.
pub const WITH_PHOTO: &str = "/vintedbot.v1.MediaService/UploadPhoto";

pub fn add(routes: &mut RoutesBuilder, state: &ServerState) {
    let service = |limit| MediaServiceServer::new(Service(state.clone())).max_decoding_message_size(limit);
    routes.add_service(PhotoMethods {
        with_photos: service(state.config.max_upload_bytes),
        others: service(state.config.max_message_bytes),
        path: WITH_PHOTO,
        gate: state.gate.clone(),
    });
}

/// Does the work of a photo; when the process ends, what does not end soon is given up, and nothing is stored.
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
