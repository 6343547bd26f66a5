//! `CreateListing`, `CreateListingFromPhotos`.

use tonic::{Request, Response};
use vintedbot_domain::listings::{self, NewListing, NewListingFromPhotos};
use vintedbot_domain::media::NewPhoto;
use vintedbot_marketplace::limits::Limits;
use vintedbot_proto::v1;

use crate::convert::{Fields, listing, photo};
use crate::errors::Problem;
use crate::media::until_shutdown;
use crate::signed::Signer;
use crate::state::ServerState;
use crate::{auth, calls};

pub async fn create(
    state: &ServerState,
    request: Request<v1::CreateListingRequest>,
) -> Result<Response<v1::CreateListingResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let new = read(&state.context.limits, request.into_inner())?;
    let listing = listings::create(&state.context, &caller, new).await?;
    Ok(Response::new(v1::CreateListingResponse {
        listing: Some(listing::to_proto(listing)),
    }))
}

fn read(limits: &Limits, request: v1::CreateListingRequest) -> Result<NewListing, Problem> {
    let mut fields = Fields::default();
    let new = NewListing {
        account_id: fields.id("account_id", request.account_id),
        listing: listing::input(&mut fields, limits, request.listing.unwrap_or_default()),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(new)
}

pub async fn create_from_photos(
    state: &ServerState,
    request: Request<v1::CreateListingFromPhotosRequest>,
) -> Result<Response<v1::CreateListingFromPhotosResponse>, Problem> {
    let caller = auth::caller(&request)?;
    let call = calls::call(&request);
    let new = read_from_photos(&state.context.limits, request.into_inner())?;
    let work = listings::create_from_photos(&state.context, &caller, new);
    let (listing, photos) = until_shutdown(state, work).await?;
    let signer = Signer::new(&state.context, &call);
    Ok(Response::new(v1::CreateListingFromPhotosResponse {
        listing: Some(listing::to_proto(listing)),
        photos: photos
            .into_iter()
            .map(|photo| photo::to_proto(&signer, photo))
            .collect(),
    }))
}

fn read_from_photos(
    limits: &Limits,
    request: v1::CreateListingFromPhotosRequest,
) -> Result<NewListingFromPhotos, Problem> {
    let mut fields = Fields::default();
    let mut photos = Vec::new();
    for (at, photo) in fields.photos(limits, request.photos).into_iter().enumerate() {
        if photo.data.is_empty() {
            fields.wrong(format!("photos[{at}].data"), "is required");
        }
        photos.push(NewPhoto {
            bytes: photo.data,
            file_name: photo.file_name,
        });
    }
    let new = NewListingFromPhotos {
        account_id: fields.id("account_id", request.account_id),
        photos,
        listing: listing::input(&mut fields, limits, request.listing.unwrap_or_default()),
        request_id: fields.optional_id("request_id", request.request_id),
    };
    fields.done(new)
}
