//! `CreateListing`.

use futures::FutureExt;
use serde::Serialize;

use super::input::{ListingInput, take_over};
use super::row::{Draft, Fresh, insert};
use super::{Listing, get};
use crate::identity::Caller;
use crate::{Context, Result, accounts, requests};

/// The parameters of `CreateListing`.
#[derive(Clone, Debug, Serialize)]
pub struct NewListing {
    pub account_id: String,
    pub listing: ListingInput,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "CreateListing";

/// Creates a listing. Given values must be within the site's limits; missing values can be added later.
///
/// # Errors
/// Those of `take_over` in `input`; a violation for each unknown photo.
pub async fn create(context: &Context, caller: &Caller, new: NewListing) -> Result<Listing> {
    let new = NewListing {
        listing: new.listing.normalized(),
        ..new
    };
    let (reader, request_id) = (context.store.reader(), new.request_id.as_deref());
    if let Some(id) = requests::find(reader, &caller.workspace_id, request_id, METHOD, &new).await? {
        return get(context, caller, &id).await;
    }
    let account = accounts::get(context, caller, &new.account_id).await?;
    let fields = new.listing.present();
    let draft = take_over(context, &account, Draft::default(), &new.listing, &fields, 0).await?;
    let currency = account.site_market()?.currency.clone();
    let workspace_id = caller.workspace_id.clone();
    let id = context
        .store
        .write(move |tx| {
            let (new, draft, workspace_id, currency) =
                (new.clone(), draft.clone(), workspace_id.clone(), currency.clone());
            async move {
                let request_id = new.request_id.as_deref();
                if let Some(id) = requests::check(tx, &workspace_id, request_id, METHOD, &new).await? {
                    return Ok(id);
                }
                // The account may have been deleted since.
                accounts::load(tx, &workspace_id, &new.account_id).await?;
                let fresh = Fresh {
                    workspace_id: &workspace_id,
                    account_id: &new.account_id,
                    currency: &currency,
                };
                let id = insert(tx, fresh, &draft).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &new, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await?;
    get(context, caller, &id).await
}
