//! `DeletePhoto`.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Photo, removal};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::store::Tx;
use crate::store::entities::{listing_photos, photos};
use crate::{Domain, Error, Reason, Result, requests};

const METHOD: &str = "DeletePhoto";

/// Deletes a photo with its file.
///
/// # Errors
/// RESOURCE_IN_USE while a listing has it.
pub async fn delete(domain: &Domain, caller: &Caller, id: &str, request_id: Option<String>) -> Result<()> {
    let (owner_id, id) = (caller.owner_id.clone(), id.to_owned());
    let deleted = domain
        .store
        .write(move |tx| {
            let (owner_id, id, request_id) = (owner_id.clone(), id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                if requests::check(tx, &owner_id, request_id, METHOD, &id)
                    .await?
                    .is_some()
                {
                    return Ok(None);
                }
                let row = tx.locked(photos::Entity::find_by_id(&id)).one(tx).await?;
                let row = row.filter(|row| row.owner_id == owner_id);
                let row = row.ok_or_else(|| Error::not_found("photo", &id))?;
                let user =
                    listing_photos::Entity::find().filter(listing_photos::Column::PhotoId.eq(id.as_str()));
                if let Some(user) = user.one(tx).await? {
                    return Err(Error::rejected(Reason::ResourceInUse, "a listing has this photo")
                        .with("used_by_type", "listing")
                        .with("used_by_id", user.listing_id));
                }
                let sha256 = row.sha256.clone();
                remove(tx, row).await?;
                requests::remember(tx, &owner_id, request_id, METHOD, &id, &id).await?;
                Ok(Some(sha256))
            }
            .boxed()
        })
        .await?;
    let Some(sha256) = deleted else { return Ok(()) };
    if let Err(error) = removal::remove(domain, &sha256).await {
        // The photo is gone for everybody; its file goes when the media store is back.
        tracing::warn!(%error, "a deleted photo's file could not be removed yet");
    }
    Ok(())
}

/// Removes a photo's row, and tells of it. Its file is condemned, and the caller's to remove after the commit.
pub(super) async fn remove(tx: &Tx, row: photos::Model) -> Result<()> {
    photos::Entity::delete_by_id(&row.id).exec(tx).await?;
    requests::forget(tx, std::slice::from_ref(&row.id)).await?;
    removal::condemn(tx, &row.sha256).await?;
    tx.emit(PendingEvent::gone(Kind::PhotoDeleted, &Photo::from(row)));
    Ok(())
}
