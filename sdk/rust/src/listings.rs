//! Listings.

use vintedbot_proto::v1::create_listing_from_photos_request::NewPhoto;
use vintedbot_proto::v1::listing_service_client::ListingServiceClient;
use vintedbot_proto::v1::{
    CreateListingFromPhotosRequest, CreateListingFromPhotosResponse, CreateListingRequest,
    DeleteListingRequest, GetListingRequest, ListListingsRequest, Listing, ListingInput,
    PreviewListingRequest, PreviewListingResponse, SearchListingsRequest, UpdateListingRequest,
    search_listings_response,
};

use crate::call::{Calls, Present as _, call};
use crate::{Paged, Result, Upload};

/// `ListingService`; see [`Client::listings`](crate::Client::listings). No method changes anything on the marketplace.
#[derive(Clone)]
pub struct Listings {
    pub(crate) calls: Calls,
}

impl Listings {
    /// Creates a listing. Missing fields can be added later.
    pub async fn create(&self, request: CreateListingRequest) -> Result<Listing> {
        let answer = self
            .calls
            .change(request, call!(ListingServiceClient::create_listing))
            .await?;
        answer.listing.present("listing")
    }

    /// Stores photos and creates a listing with them in one message: all of it or nothing. If the photos exceed the
    /// server's message limit, upload them with [`Media::upload_all`](crate::Media::upload_all) first.
    pub async fn create_from_photos(
        &self,
        account_id: impl Into<String>,
        photos: impl IntoIterator<Item = Upload>,
        listing: ListingInput,
    ) -> Result<CreateListingFromPhotosResponse> {
        let mut request = CreateListingFromPhotosRequest {
            account_id: account_id.into(),
            listing: Some(listing),
            ..Default::default()
        };
        for photo in photos {
            let (file_name, data) = photo.read().await?;
            request.photos.push(NewPhoto { data, file_name });
        }
        self.calls
            .change(request, call!(ListingServiceClient::create_listing_from_photos))
            .await
    }

    /// Returns one listing.
    pub async fn get(&self, id: impl Into<String>) -> Result<Listing> {
        let request = GetListingRequest { id: id.into() };
        let answer = self
            .calls
            .read(request, call!(ListingServiceClient::get_listing))
            .await?;
        answer.listing.present("listing")
    }

    /// Lists listings, newest first.
    pub fn list(&self, request: ListListingsRequest) -> Paged<Listing> {
        self.calls
            .pages(request, call!(ListingServiceClient::list_listings))
    }

    /// Finds listings that contain all words of a query, newest first.
    pub fn search(&self, request: SearchListingsRequest) -> Paged<search_listings_response::Result> {
        self.calls
            .pages(request, call!(ListingServiceClient::search_listings))
    }

    /// Changes a listing; see [`mask`](crate::mask). Invalidates confirm tokens that were issued before.
    pub async fn update(&self, request: UpdateListingRequest) -> Result<Listing> {
        let answer = self
            .calls
            .change(request, call!(ListingServiceClient::update_listing))
            .await?;
        answer.listing.present("listing")
    }

    /// Deletes a listing on the server. Changes nothing on the site.
    pub async fn delete(&self, id: impl Into<String>) -> Result<()> {
        let request = DeleteListingRequest {
            id: id.into(),
            ..Default::default()
        };
        self.calls
            .change(request, call!(ListingServiceClient::delete_listing))
            .await?;
        Ok(())
    }

    /// Returns a listing as the site will show it, and all violations that prevent its publication.
    pub async fn preview(&self, id: impl Into<String>) -> Result<PreviewListingResponse> {
        let request = PreviewListingRequest { id: id.into() };
        self.calls
            .read(request, call!(ListingServiceClient::preview_listing))
            .await
    }
}
