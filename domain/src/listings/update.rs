//! `UpdateListing`.

use futures::FutureExt;
use serde::Serialize;
use vintedbot_marketplace::Field;

use super::input::{ALL, ListingInput, path, take_over};
use super::row::{Draft, load, require_photos, save};
use super::{Listing, ListingState, get};
use crate::identity::Caller;
use crate::store::entities::listings;
use crate::{Domain, Error, Reason, Result, Violation, accounts, requests};

/// A change of a listing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Update {
    pub id: String,
    pub listing: ListingInput,
    /// Names of the fields to take; one that is absent in `listing` is cleared. Empty: every field that is present.
    pub mask: Vec<String>,
    /// The change is made only to this state of the listing.
    pub expected_sequence: Option<i64>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "UpdateListing";

/// Changes a listing here. A confirmation made before becomes stale.
///
/// # Errors
/// As `create`; RESOURCE_CHANGED; PUBLISH_JOB_OPEN while its publishing is under way or undecided; ALREADY_PUBLISHED for
/// one that is on the site, where it is changed by `publishing::prepare_change`.
pub async fn update(domain: &Domain, caller: &Caller, update: Update) -> Result<Listing> {
    let (reader, request_id) = (domain.store.reader(), update.request_id.as_deref());
    if requests::find(reader, &caller.owner_id, request_id, METHOD, &update)
        .await?
        .is_some()
    {
        return get(domain, caller, &update.id).await;
    }
    let fields = fields(&update.mask, &update.listing)?;
    let current = get(domain, caller, &update.id).await?;
    let account = accounts::get(domain, caller, &current.account_id).await?;
    let draft = take_over(
        domain,
        &account,
        Draft::from(&current),
        &update.listing,
        &fields,
        0,
    )
    .await?;
    let (owner_id, id) = (caller.owner_id.clone(), update.id.clone());
    domain
        .store
        .write(move |tx| {
            let (owner_id, update, draft, fields) =
                (owner_id.clone(), update.clone(), draft.clone(), fields.clone());
            async move {
                let request_id = update.request_id.as_deref();
                if requests::check(tx, &owner_id, request_id, METHOD, &update)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                let row = load(tx, &owner_id, &update.id).await?;
                check_state(&row, update.expected_sequence)?;
                let photos = fields.contains(&Field::Photos).then_some(&draft.photo_ids[..]);
                if let Some(ids) = photos {
                    require_photos(tx, &owner_id, ids).await?;
                }
                let mut changed = row.clone();
                draft.apply(&mut changed, &fields)?;
                if changed != row {
                    save(tx, changed, photos).await?;
                }
                requests::remember(tx, &owner_id, request_id, METHOD, &update, &update.id).await
            }
            .boxed()
        })
        .await?;
    get(domain, caller, &id).await
}

fn check_state(row: &listings::Model, expected_sequence: Option<i64>) -> Result<()> {
    if expected_sequence.is_some_and(|expected| expected != row.sequence) {
        return Err(accounts::changed("listing", row.sequence));
    }
    if row.state == ListingState::Publishing {
        let job_id = row.active_publish_job_id.clone().unwrap_or_default();
        let message = "the listing is being published; wait until that is decided";
        return Err(Error::rejected(Reason::PublishJobOpen, message).with("publish_job_id", job_id));
    }
    if row.state == ListingState::Published {
        let message = "the listing is on the site; PrepareChange changes it there, and here with it";
        let item_id = row.remote_item_id.clone().unwrap_or_default();
        return Err(Error::rejected(Reason::AlreadyPublished, message)
            .with("listing_id", &row.id)
            .with("remote_item_id", item_id));
    }
    Ok(())
}

/// The fields that a mask names; of an empty one, those that are present.
pub(super) fn fields(mask: &[String], listing: &ListingInput) -> Result<Vec<Field>> {
    if mask.is_empty() {
        return Ok(listing.present());
    }
    let unknown: Vec<_> = mask
        .iter()
        .filter(|name| !ALL.iter().any(|field| path(*field) == name.as_str()))
        .map(|name| {
            Violation::new(
                "update_mask",
                format!("a listing has no field {name:?} that can be changed"),
            )
        })
        .collect();
    if !unknown.is_empty() {
        return Err(Error::Invalid(unknown));
    }
    // In our own order, since some depend on others.
    Ok(ALL
        .into_iter()
        .filter(|field| mask.iter().any(|name| name == path(*field)))
        .collect())
}
