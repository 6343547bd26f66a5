//! `CreateListing`.

use futures::FutureExt;
use serde::Serialize;

use super::input::{ListingInput, take_over};
use super::row::{Draft, Fresh, insert};
use super::{Listing, get};
use crate::identity::Caller;
use crate::{Domain, Result, accounts, requests};

/// What is known of a listing that is to be made.
#[derive(Clone, Debug, Serialize)]
pub struct NewListing {
    pub account_id: String,
    pub listing: ListingInput,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "CreateListing";

/// Makes a listing. What is given must be within the site's limits; what is missing can come later.
///
/// # Errors
/// See `take_over` in `input`; unknown photos are violations.
pub async fn create(domain: &Domain, caller: &Caller, new: NewListing) -> Result<Listing> {
    let (reader, request_id) = (domain.store.reader(), new.request_id.as_deref());
    if let Some(id) = requests::find(reader, &caller.owner_id, request_id, METHOD, &new).await? {
        return get(domain, caller, &id).await;
    }
    let account = accounts::get(domain, caller, &new.account_id).await?;
    let fields = new.listing.present();
    let draft = take_over(domain, &account, Draft::default(), &new.listing, &fields, 0).await?;
    let currency = account.site_market()?.currency.clone();
    let owner_id = caller.owner_id.clone();
    let id = domain
        .store
        .write(move |tx| {
            let (new, draft, owner_id, currency) =
                (new.clone(), draft.clone(), owner_id.clone(), currency.clone());
            async move {
                let request_id = new.request_id.as_deref();
                if let Some(id) = requests::check(tx, &owner_id, request_id, METHOD, &new).await? {
                    return Ok(id);
                }
                // The account may be on its way out.
                accounts::load(tx, &owner_id, &new.account_id).await?;
                let fresh = Fresh {
                    owner_id: &owner_id,
                    account_id: &new.account_id,
                    currency: &currency,
                };
                let id = insert(tx, fresh, &draft).await?;
                requests::remember(tx, &owner_id, request_id, METHOD, &new, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await?;
    get(domain, caller, &id).await
}
