//! `UpdateListing`.

use futures::FutureExt;
use serde::Serialize;
use vintedbot_marketplace::Field;

use super::input::{ALL, ListingInput, path, take_over};
use super::row::{Draft, load, require_photos, save};
use super::{Listing, ListingState, get};
use crate::identity::Caller;
use crate::store::entities::listings;
use crate::{Context, Error, Reason, Result, Violation, accounts, requests};

/// The parameters of `UpdateListing`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Update {
    pub id: String,
    pub listing: ListingInput,
    /// The names of the fields to set. A named field that is absent in `listing` is cleared. Empty: every field that is
    /// present.
    pub mask: Vec<String>,
    /// The sequence that the listing must still have. Absent: not checked.
    pub expected_sequence: Option<i64>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "UpdateListing";

/// Changes a listing here. A change makes an earlier confirmation stale.
///
/// # Errors
/// Those of `create`; RESOURCE_CHANGED; PUBLISH_JOB_OPEN while it is being published or the outcome is in doubt;
/// ALREADY_PUBLISHED if it is on the site, because `publishing::prepare_change` changes it there.
pub async fn update(context: &Context, caller: &Caller, update: Update) -> Result<Listing> {
    let update = Update {
        listing: update.listing.normalized(),
        ..update
    };
    let (reader, request_id) = (context.store.reader(), update.request_id.as_deref());
    if requests::find(reader, &caller.workspace_id, request_id, METHOD, &update)
        .await?
        .is_some()
    {
        return get(context, caller, &update.id).await;
    }
    let fields = fields(&update.mask, &update.listing)?;
    let current = get(context, caller, &update.id).await?;
    let account = accounts::get(context, caller, &current.account_id).await?;
    let draft = take_over(
        context,
        &account,
        Draft::from(&current),
        &update.listing,
        &fields,
        0,
    )
    .await?;
    let (workspace_id, id) = (caller.workspace_id.clone(), update.id.clone());
    context
        .store
        .write(move |tx| {
            let (workspace_id, update, draft, fields) = (
                workspace_id.clone(),
                update.clone(),
                draft.clone(),
                fields.clone(),
            );
            async move {
                let request_id = update.request_id.as_deref();
                if requests::check(tx, &workspace_id, request_id, METHOD, &update)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                let row = load(tx, &workspace_id, &update.id).await?;
                check_state(&row, update.expected_sequence)?;
                let photos = fields.contains(&Field::Photos).then_some(&draft.photo_ids[..]);
                if let Some(ids) = photos {
                    require_photos(tx, &workspace_id, ids).await?;
                }
                let mut changed = row.clone();
                draft.apply(&mut changed, &fields)?;
                if changed != row {
                    save(tx, changed, photos).await?;
                }
                requests::remember(tx, &workspace_id, request_id, METHOD, &update, &update.id).await
            }
            .boxed()
        })
        .await?;
    get(context, caller, &id).await
}

fn check_state(row: &listings::Model, expected_sequence: Option<i64>) -> Result<()> {
    if expected_sequence.is_some_and(|expected| expected != row.sequence) {
        return Err(accounts::changed("listing", row.sequence));
    }
    if row.state == ListingState::Publishing {
        let job_id = row.active_publish_job_id.clone().unwrap_or_default();
        let message = "the listing is being published; wait until its publish job ends";
        return Err(Error::rejected(Reason::PublishJobOpen, message).with("publish_job_id", job_id));
    }
    if row.state == ListingState::Published {
        let message = "the listing is published; use PrepareChange to change it";
        let item_id = row.remote_item_id.clone().unwrap_or_default();
        return Err(Error::rejected(Reason::AlreadyPublished, message)
            .with("listing_id", &row.id)
            .with("remote_item_id", item_id));
    }
    Ok(())
}

/// Returns the fields that a mask names. An empty mask selects all present fields.
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
                format!("{name:?} is not an updatable field of a listing"),
            )
        })
        .collect();
    if !unknown.is_empty() {
        return Err(Error::Invalid(unknown));
    }
    // In the order of `ALL`, because some fields depend on others.
    Ok(ALL
        .into_iter()
        .filter(|field| mask.iter().any(|name| name == path(*field)))
        .collect())
}
