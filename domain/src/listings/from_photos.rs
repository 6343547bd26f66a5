//! `CreateListingFromPhotos`: stores photos and creates their listing in one call, all or nothing.

use futures::FutureExt;
use vintedbot_marketplace::Field;

use super::input::{ListingInput, take_over};
use super::row::{Draft, Fresh, insert, require_photos};
use super::{Listing, get};
use crate::identity::Caller;
use crate::media::{self, NewPhoto, Photo};
use crate::{Context, Error, Result, accounts, requests};

/// The parameters of `CreateListingFromPhotos`.
#[derive(Clone, Debug)]
pub struct NewListingFromPhotos {
    pub account_id: String,
    /// The new photos, in order. The first is the main photo.
    pub photos: Vec<NewPhoto>,
    /// The listing. Its own photos follow the new ones.
    pub listing: ListingInput,
    pub request_id: Option<String>,
}

const METHOD: &str = "CreateListingFromPhotos";

/// Processes and stores photos and creates a listing with them. Returns the listing and the new photos in the given
/// order.
///
/// # Errors
/// Those of listing `create` and of media `upload`.
pub async fn create_from_photos(
    context: &Context,
    caller: &Caller,
    new: NewListingFromPhotos,
) -> Result<(Listing, Vec<Photo>)> {
    let NewListingFromPhotos {
        account_id,
        photos,
        listing: input,
        request_id,
    } = new;
    let input = input.normalized();
    if photos.is_empty() {
        return Err(Error::invalid("photos", "must contain at least one photo"));
    }
    let account = accounts::get(context, caller, &account_id).await?;
    let mut fields = input.present();
    if !fields.contains(&Field::Photos) {
        fields.push(Field::Photos);
    }
    let draft = take_over(context, &account, Draft::default(), &input, &fields, photos.len()).await?;
    let currency = account.site_market()?.currency.clone();
    let photos = photos.into_iter().map(Into::into).collect();
    let prepared = media::prepare(context, &caller.workspace_id, photos, request_id.as_deref()).await?;
    let parameters = (account_id.clone(), prepared.parameters.clone(), input);
    let workspace_id = caller.workspace_id.clone();
    let (id, photos) = media::store_all(context, &caller.workspace_id, prepared, move |tx, uploaded| {
        let (workspace_id, account_id, currency) =
            (workspace_id.clone(), account_id.clone(), currency.clone());
        let (request_id, parameters, mut draft) = (request_id.clone(), parameters.clone(), draft.clone());
        async move {
            let request_id = request_id.as_deref();
            let photos: Vec<Photo> = uploaded.into_iter().map(|uploaded| uploaded.photo).collect();
            if let Some(id) = requests::check(tx, &workspace_id, request_id, METHOD, &parameters).await? {
                return Ok((id, photos));
            }
            accounts::load(tx, &workspace_id, &account_id).await?;
            require_photos(tx, &workspace_id, &draft.photo_ids).await?;
            draft.photo_ids = in_order(&photos, &draft.photo_ids);
            let fresh = Fresh {
                workspace_id: &workspace_id,
                account_id: &account_id,
                currency: &currency,
            };
            let id = insert(tx, fresh, &draft).await?;
            requests::remember(tx, &workspace_id, request_id, METHOD, &parameters, &id).await?;
            Ok((id, photos))
        }
        .boxed()
    })
    .await?;
    let ids: Vec<_> = photos.into_iter().map(|photo| photo.id).collect();
    let photos = media::by_ids(context.store.reader(), &caller.workspace_id, &ids).await?;
    Ok((get(context, caller, &id).await?, photos))
}

/// Returns the ids of the new photos, then the others. Equal content given twice is one photo.
fn in_order(new: &[Photo], others: &[String]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::with_capacity(new.len() + others.len());
    for id in new.iter().map(|photo| &photo.id).chain(others) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}
