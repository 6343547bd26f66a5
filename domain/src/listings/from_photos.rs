//! `CreateListingFromPhotos`: photos and their listing in one call, all of it or nothing.

use futures::FutureExt;
use vintedbot_marketplace::Field;

use super::input::{ListingInput, take_over};
use super::row::{Draft, Fresh, insert, require_photos};
use super::{Listing, get};
use crate::identity::Caller;
use crate::media::{self, NewPhoto, Photo};
use crate::{Domain, Error, Result, accounts, requests};

/// What is known of a listing that is to be made of photos.
#[derive(Clone, Debug)]
pub struct NewListingFromPhotos {
    pub account_id: String,
    /// In order; the first is the main one.
    pub photos: Vec<NewPhoto>,
    /// Its own photos come after the new ones.
    pub listing: ListingInput,
    pub request_id: Option<String>,
}

const METHOD: &str = "CreateListingFromPhotos";

/// Processes and stores photos and makes a listing with them. Returns it with the new photos, in the order given.
///
/// # Errors
/// As `create` of listings and `upload` of media.
pub async fn create_from_photos(
    domain: &Domain,
    caller: &Caller,
    new: NewListingFromPhotos,
) -> Result<(Listing, Vec<Photo>)> {
    let NewListingFromPhotos {
        account_id,
        photos,
        listing: input,
        request_id,
    } = new;
    if photos.is_empty() {
        return Err(Error::invalid("photos", "at least one is needed"));
    }
    let account = accounts::get(domain, caller, &account_id).await?;
    let mut fields = input.present();
    if !fields.contains(&Field::Photos) {
        fields.push(Field::Photos);
    }
    let draft = take_over(domain, &account, Draft::default(), &input, &fields, photos.len()).await?;
    let currency = account.site_market()?.currency.clone();
    let photos = photos.into_iter().map(Into::into).collect();
    let prepared = media::prepare(domain, &caller.owner_id, photos, request_id.as_deref()).await?;
    let parameters = (account_id.clone(), prepared.parameters.clone(), input);
    let owner_id = caller.owner_id.clone();
    let (id, photos) = media::store_all(domain, &caller.owner_id, prepared, move |tx, uploaded| {
        let (owner_id, account_id, currency) = (owner_id.clone(), account_id.clone(), currency.clone());
        let (request_id, parameters, mut draft) = (request_id.clone(), parameters.clone(), draft.clone());
        async move {
            let request_id = request_id.as_deref();
            let photos: Vec<Photo> = uploaded.into_iter().map(|uploaded| uploaded.photo).collect();
            if let Some(id) = requests::check(tx, &owner_id, request_id, METHOD, &parameters).await? {
                return Ok((id, photos));
            }
            accounts::load(tx, &owner_id, &account_id).await?;
            require_photos(tx, &owner_id, &draft.photo_ids).await?;
            draft.photo_ids = in_order(&photos, &draft.photo_ids);
            let fresh = Fresh {
                owner_id: &owner_id,
                account_id: &account_id,
                currency: &currency,
            };
            let id = insert(tx, fresh, &draft).await?;
            requests::remember(tx, &owner_id, request_id, METHOD, &parameters, &id).await?;
            Ok((id, photos))
        }
        .boxed()
    })
    .await?;
    let ids: Vec<_> = photos.into_iter().map(|photo| photo.id).collect();
    let photos = media::by_ids(domain.store.reader(), &caller.owner_id, &ids).await?;
    Ok((get(domain, caller, &id).await?, photos))
}

/// New photos, then those that were there; the same content given twice is one photo.
fn in_order(new: &[Photo], others: &[String]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::with_capacity(new.len() + others.len());
    for id in new.iter().map(|photo| &photo.id).chain(others) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}
