//! `DeletePhoto`.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Photo, removal};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::store::entities::{listing_photos, photos};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, requests};

const METHOD: &str = "DeletePhoto";

/// Deletes a photo and its file. A reply with the photo that is not sent yet fails.
///
/// # Errors
/// NOT_FOUND; RESOURCE_IN_USE while a listing uses the photo.
pub async fn delete(context: &Context, caller: &Caller, id: &str, request_id: Option<String>) -> Result<()> {
    let (workspace_id, id) = (caller.workspace_id.clone(), id.to_owned());
    let deleted = context
        .store
        .write(move |tx| {
            let (workspace_id, id, request_id) = (workspace_id.clone(), id.clone(), request_id.clone());
            async move {
                let request_id = request_id.as_deref();
                if requests::check(tx, &workspace_id, request_id, METHOD, &id)
                    .await?
                    .is_some()
                {
                    return Ok(None);
                }
                let row = photos::Entity::find_by_id(&id).of_workspace(&workspace_id);
                let row = tx.locked(row).one(tx).await?;
                let row = row.ok_or_else(|| Error::not_found("photo", &id))?;
                let user =
                    listing_photos::Entity::find().filter(listing_photos::Column::PhotoId.eq(id.as_str()));
                if let Some(user) = user.one(tx).await? {
                    let message = "a listing uses this photo; remove it from the listing first";
                    return Err(Error::rejected(Reason::ResourceInUse, message)
                        .with("used_by_type", "listing")
                        .with("used_by_id", user.listing_id));
                }
                let sha256 = row.sha256.clone();
                remove(tx, row).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &id, &id).await?;
                Ok(Some(sha256))
            }
            .boxed()
        })
        .await?;
    let Some(sha256) = deleted else { return Ok(()) };
    if let Err(error) = removal::remove(context, &sha256).await {
        // The photo itself is deleted. A schedule removes the file when the media store is available again.
        tracing::warn!(%error, "the file of a deleted photo could not be removed yet");
    }
    Ok(())
}

/// Deletes the row of a photo, emits the event, and marks the file for deletion. The caller removes the file after the
/// commit.
pub(super) async fn remove(tx: &Tx, row: photos::Model) -> Result<()> {
    photos::Entity::delete_by_id(&row.id).exec(tx).await?;
    requests::forget(tx, std::slice::from_ref(&row.id)).await?;
    removal::mark_for_deletion(tx, &row.sha256).await?;
    tx.emit(PendingEvent::gone(Kind::PhotoDeleted, &Photo::from(row)));
    Ok(())
}
