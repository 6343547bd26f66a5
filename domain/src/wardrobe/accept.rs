//! `AcceptRemoteChanges`: what the site has becomes the listing here.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use vintedbot_marketplace::{Field, OwnItem};

use super::compare::{Difference, Words};
use super::seen::{Pairing, Seen, differences};
use super::vocabulary::Vocabulary;
use crate::identity::Caller;
use crate::listings::{self, Listing, ListingState};
use crate::store::Tx;
use crate::store::entities::{photos, publish_jobs};
use crate::{Domain, Error, Reason, Result, accounts, requests};

/// Which listing takes over what the site has.
#[derive(Clone, Debug, Serialize)]
pub struct Accept {
    pub listing_id: String,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "AcceptRemoteChanges";

/// Takes what was last read of a listing's item over into the listing: every field that differs, and DELETED where the item
/// is gone. Photos come too where they could be fetched; else that difference stays. With nothing to take over, nothing
/// changes.
///
/// # Errors
/// NOT_PUBLISHED where the site has no item of it; PUBLISH_JOB_OPEN while a job of it has not ended.
pub async fn accept(domain: &Domain, caller: &Caller, accept: Accept) -> Result<Listing> {
    let listing = listings::get(domain, caller, &accept.listing_id).await?;
    let account = accounts::get(domain, caller, &listing.account_id).await?;
    let words = Vocabulary::of(domain, &account.site, account.language).await;
    let owner_id = caller.owner_id.clone();
    domain
        .store
        .write(move |tx| {
            let (owner_id, accept, words) = (owner_id.clone(), accept.clone(), words.clone());
            async move {
                let request_id = accept.request_id.as_deref();
                if requests::check(tx, &owner_id, request_id, METHOD, &accept)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                take_over(tx, &owner_id, &accept.listing_id, words.as_words()).await?;
                requests::remember(tx, &owner_id, request_id, METHOD, &accept, &accept.listing_id).await
            }
            .boxed()
        })
        .await?;
    listings::get(domain, caller, &listing.id).await
}

async fn take_over(tx: &Tx, owner_id: &str, listing_id: &str, words: Words<'_>) -> Result<()> {
    let row = listings::load(tx, owner_id, listing_id).await?;
    if row.remote_item_id.is_none() {
        return Err(
            Error::rejected(Reason::NotPublished, "the listing has no item on the site")
                .with("listing_id", &row.id),
        );
    }
    let told = differences(&row);
    if told.is_empty() {
        return Ok(());
    }
    accounts::refuse_open_jobs(tx, publish_jobs::Column::ListingId, &row.id).await?;
    let mut seen = Seen::of(&row);
    let mut after = row.clone();
    if told.iter().any(|each| each.field == Difference::GONE) {
        after.state = ListingState::Deleted;
        after.remote_differences = "[]".to_owned();
        return listings::save(tx, after, None).await;
    }
    let Some(item) = seen.item.clone() else {
        return Ok(());
    };
    let mut left = Vec::new();
    let mut photo_ids = None;
    if let Some(photos) = told.iter().find(|each| each.field == Field::Photos.name()) {
        match seen.fetched.take() {
            Some(ours) if are_here(tx, owner_id, &ours).await? => photo_ids = Some(ours),
            _ => left.push(photos.clone()),
        }
    }
    listings::take_over_item(&mut after, &item, words, photo_ids.as_deref())?;
    after.hidden = item.is_hidden;
    seen.closed = item.is_closed;
    if let Some(here) = &photo_ids {
        seen.pairing = Some(paired(&item, here));
    }
    seen.write(&mut after)?;
    after.remote_differences = serde_json::to_string(&left)?;
    listings::save(tx, after, photo_ids.as_deref()).await
}

fn paired(item: &OwnItem, here: &[String]) -> Pairing {
    Pairing {
        there: item.photos.iter().map(|photo| photo.id.clone()).collect(),
        here: here.to_vec(),
    }
}

async fn are_here(tx: &Tx, owner_id: &str, ids: &[String]) -> Result<bool> {
    let query = photos::Entity::find()
        .filter(photos::Column::OwnerId.eq(owner_id))
        .filter(photos::Column::Id.is_in(ids.iter().map(String::as_str)));
    let found = tx.locked(query).all(tx).await?;
    Ok(ids.iter().all(|id| found.iter().any(|photo| photo.id == *id)))
}
