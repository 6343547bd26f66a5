//! `AcceptRemoteChanges`: applies the item's state on the site to the listing here.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use vintedbot_marketplace::{Field, OwnItem};

use super::compare::{Difference, Words};
use super::snapshot::{PhotoMapping, RemoteSnapshot, differences};
use super::vocabulary::Vocabulary;
use crate::identity::Caller;
use crate::listings::{self, Listing, ListingState};
use crate::store::entities::{photos, publish_jobs};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, accounts, requests};

/// The parameters of `AcceptRemoteChanges`.
#[derive(Clone, Debug, Serialize)]
pub struct Accept {
    pub listing_id: String,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "AcceptRemoteChanges";

/// Applies the last reading of a listing's item to the listing: every field that differs, and state DELETED if the item
/// is gone. Photos are applied if they could be fetched; otherwise that difference stays. Without differences, nothing
/// changes.
///
/// # Errors
/// NOT_PUBLISHED if the listing has no item on the site; PUBLISH_JOB_OPEN if a publish job of it has not ended.
pub async fn accept(context: &Context, caller: &Caller, accept: Accept) -> Result<Listing> {
    let listing = listings::get(context, caller, &accept.listing_id).await?;
    let account = accounts::get(context, caller, &listing.account_id).await?;
    let words = Vocabulary::of(context, &account.site, account.language).await;
    let workspace_id = caller.workspace_id.clone();
    context
        .store
        .write(move |tx| {
            let (workspace_id, accept, words) = (workspace_id.clone(), accept.clone(), words.clone());
            async move {
                let request_id = accept.request_id.as_deref();
                if requests::check(tx, &workspace_id, request_id, METHOD, &accept)
                    .await?
                    .is_some()
                {
                    return Ok(());
                }
                take_over(tx, &workspace_id, &accept.listing_id, words.as_words()).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &accept, &accept.listing_id).await
            }
            .boxed()
        })
        .await?;
    listings::get(context, caller, &listing.id).await
}

async fn take_over(tx: &Tx, workspace_id: &str, listing_id: &str, words: Words<'_>) -> Result<()> {
    let row = listings::load(tx, workspace_id, listing_id).await?;
    if row.remote_item_id.is_none() {
        return Err(
            Error::rejected(Reason::NotPublished, "the listing has no item on the site")
                .with("listing_id", &row.id),
        );
    }
    let found = differences(&row);
    if found.is_empty() {
        return Ok(());
    }
    accounts::refuse_open_jobs(tx, publish_jobs::Column::ListingId, &row.id).await?;
    let mut snapshot = RemoteSnapshot::of(&row);
    let mut after = row.clone();
    if found.iter().any(|each| each.field == Difference::GONE) {
        after.state = ListingState::Deleted;
        after.remote_differences = "[]".to_owned();
        return listings::save(tx, after, None).await;
    }
    let Some(item) = snapshot.item.clone() else {
        return Ok(());
    };
    let mut left = Vec::new();
    let mut photo_ids = None;
    if let Some(photos) = found.iter().find(|each| each.field == Field::Photos.name()) {
        match snapshot.fetched.take() {
            Some(ours) if exist(tx, workspace_id, &ours).await? => photo_ids = Some(ours),
            _ => left.push(photos.clone()),
        }
    }
    listings::take_over_item(&mut after, &item, words, photo_ids.as_deref())?;
    after.hidden = item.is_hidden;
    snapshot.closed = item.is_closed;
    if let Some(here) = &photo_ids {
        snapshot.photo_mapping = Some(photo_mapping(&item, here));
    }
    snapshot.write(&mut after)?;
    after.remote_differences = serde_json::to_string(&left)?;
    listings::save(tx, after, photo_ids.as_deref()).await
}

fn photo_mapping(item: &OwnItem, photo_ids: &[String]) -> PhotoMapping {
    PhotoMapping {
        remote_photo_ids: item.photos.iter().map(|photo| photo.id.clone()).collect(),
        photo_ids: photo_ids.to_vec(),
    }
}

async fn exist(tx: &Tx, workspace_id: &str, ids: &[String]) -> Result<bool> {
    let query = photos::Entity::find()
        .of_workspace(workspace_id)
        .filter(photos::Column::Id.is_in(ids.iter().map(String::as_str)));
    let found = tx.locked(query).all(tx).await?;
    Ok(ids.iter().all(|id| found.iter().any(|photo| photo.id == *id)))
}
