//! Photos.

use vintedbot_proto::v1::media_service_client::MediaServiceClient;
use vintedbot_proto::v1::{
    CreateUploadUrlRequest, CreateUploadUrlResponse, DeletePhotoRequest, GetPhotoRequest, ListPhotosRequest,
    Photo, UploadPhotoRequest, UploadPhotoResponse,
};

use crate::call::{Calls, Present as _, call};
use crate::upload::{Batch, Broken};
use crate::{Error, Paged, Result, Upload, random};

/// `MediaService`; see [`Client::media`](crate::Client::media). Before a photo is stored, it is rotated upright and its
/// metadata is removed.
#[derive(Clone)]
pub struct Media {
    pub(crate) calls: Calls,
}

impl Media {
    /// Stores one photo in one message. The photo is a path or an [`Upload`].
    pub async fn upload(&self, photo: impl Into<Upload>) -> Result<UploadPhotoResponse> {
        let (file_name, data) = photo.into().read().await?;
        let request = UploadPhotoRequest {
            data,
            file_name,
            ..Default::default()
        };
        self.calls
            .change(request, call!(MediaServiceClient::upload_photo))
            .await
    }

    /// Stores photos from one stream: all of them or, on any error, none. Returns them in their order. Files are read
    /// while they are sent. The client's timeout does not apply.
    pub async fn upload_all<U: Into<Upload>>(
        &self,
        photos: impl IntoIterator<Item = U>,
    ) -> Result<Vec<UploadPhotoResponse>> {
        let photos = photos.into_iter().map(Into::into);
        let batch = Batch::open(photos, random::uuid()).await?;
        let answer = self.calls.repeat(|| async {
            let broken = Broken::default();
            let parts = batch.clone().parts(broken.clone());
            let answer = MediaServiceClient::new(self.calls.line())
                .upload_photos(parts)
                .await;
            match broken.take() {
                Some(error) => Err(error),
                None => answer.map_err(Error::from),
            }
        });
        Ok(answer.await?.results)
    }

    /// Creates a URL to which one photo can be uploaded with HTTP PUT, without an API token.
    pub async fn create_upload_url(
        &self,
        request: CreateUploadUrlRequest,
    ) -> Result<CreateUploadUrlResponse> {
        self.calls
            .change(request, call!(MediaServiceClient::create_upload_url))
            .await
    }

    /// Returns one photo's record, with a fresh signed URL.
    pub async fn get(&self, id: impl Into<String>) -> Result<Photo> {
        let request = GetPhotoRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(MediaServiceClient::get_photo))
            .await?;
        answer.photo.present("photo")
    }

    /// Lists photos, newest first.
    pub fn list(&self, request: ListPhotosRequest) -> Paged<Photo> {
        self.calls.pages(request, call!(MediaServiceClient::list_photos))
    }

    /// Deletes a photo that no listing uses.
    pub async fn delete(&self, id: impl Into<String>) -> Result<()> {
        let request = DeletePhotoRequest {
            id: id.into(),
            ..Default::default()
        };
        self.calls
            .change(request, call!(MediaServiceClient::delete_photo))
            .await?;
        Ok(())
    }
}
