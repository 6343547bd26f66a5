//! `GetPhoto`, `ListPhotos`.

use tonic::{Request, Response};
use vintedbot_domain::media;
use vintedbot_domain::paging::PageRequest;
use vintedbot_proto::v1;

use crate::convert::{Fields, photo};
use crate::errors::Problem;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

pub async fn get(
    state: &ServerState,
    request: Request<v1::GetPhotoRequest>,
) -> Result<Response<v1::GetPhotoResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let mut fields = Fields::default();
    let id = fields.id("id", request.into_inner().id);
    let id = fields.done(id)?;
    let photo = media::get(&state.context, &caller, &id).await?;
    let photo = photo::to_proto(&Signer::new(&state.context, &call), photo);
    Ok(Response::new(v1::GetPhotoResponse { photo: Some(photo) }))
}

pub async fn list(
    state: &ServerState,
    request: Request<v1::ListPhotosRequest>,
) -> Result<Response<v1::ListPhotosResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let request = request.into_inner();
    let mut fields = Fields::default();
    let listing_id = fields.optional_id("listing_id", request.listing_id);
    let listing_id = fields.done(listing_id)?;
    let page = PageRequest {
        size: request.page_size,
        token: request.page_token,
    };
    let page = media::list(&state.context, &caller, listing_id.as_deref(), &page).await?;
    let signer = Signer::new(&state.context, &call);
    Ok(Response::new(v1::ListPhotosResponse {
        photos: page
            .items
            .into_iter()
            .map(|photo| photo::to_proto(&signer, photo))
            .collect(),
        next_page_token: page.next_page_token,
    }))
}
