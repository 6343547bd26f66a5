//! `DeleteListing`.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::Listing;
use super::row::load;
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::store::Tx;
use crate::store::entities::{listing_photos, listings, publish_jobs};
use crate::{Context, Result, accounts, requests, search};

const METHOD: &str = "DeleteListing";

/// Deletes a listing here. The site and the photos are not changed.
///
/// # Errors
/// PUBLISH_JOB_OPEN if a publish job of the listing has not ended.
pub async fn delete(context: &Context, caller: &Caller, id: &str, request_id: Option<String>) -> Result<()> {
    requests::once(context, caller, METHOD, id, request_id, |tx, workspace_id, id| {
        run(tx, workspace_id, id).boxed()
    })
    .await
}

async fn run(tx: &Tx, workspace_id: &str, id: &str) -> Result<()> {
    let row = load(tx, workspace_id, id).await?;
    accounts::refuse_open_jobs(tx, publish_jobs::Column::ListingId, id).await?;
    remove(tx, vec![row]).await
}

/// Deletes all listings of an account. The account has no unfinished publish job.
pub(crate) async fn delete_all(tx: &Tx, account_id: &str) -> Result<()> {
    let of_account = listings::Entity::find().filter(listings::Column::AccountId.eq(account_id));
    let rows = tx.locked(of_account).all(tx).await?;
    remove(tx, rows).await
}

async fn remove(tx: &Tx, rows: Vec<listings::Model>) -> Result<()> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    // Databases limit the number of values in one statement.
    for ids in ids.chunks(500) {
        let ids = || ids.iter().map(String::as_str);
        let links = listing_photos::Column::ListingId.is_in(ids());
        listing_photos::Entity::delete_many()
            .filter(links)
            .exec(tx)
            .await?;
        listings::Entity::delete_many()
            .filter(listings::Column::Id.is_in(ids()))
            .exec(tx)
            .await?;
    }
    search::update::forget_listings(tx, &ids).await?;
    requests::forget(tx, &ids).await?;
    for row in rows {
        tx.emit(PendingEvent::gone(Kind::ListingDeleted, &Listing::from(row)));
    }
    Ok(())
}
