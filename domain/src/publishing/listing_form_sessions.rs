//! Form sessions, stored before they start, so that a successor can end what a dead process left running.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use vintedbot_marketplace::ListingFormIdentity;

use super::FormSessionState;
use crate::Result;
use crate::jobs::Claim;
use crate::store::Store;
use crate::store::entities::listing_form_sessions;

pub use listing_form_sessions::Model as FormSessionRow;

/// Stores a form session that is about to start. [`identify`] adds the data that is not known yet. Returns its id.
///
/// # Errors
/// `Internal` if the claim is lost.
pub async fn open(
    store: &Store,
    claim: &Claim,
    job_id: &str,
    account_id: &str,
    identity: &ListingFormIdentity,
) -> Result<String> {
    let (claim, job_id, account_id) = (claim.clone(), job_id.to_owned(), account_id.to_owned());
    let identity = serde_json::to_string(identity)?;
    store
        .write(move |tx| {
            let (claim, job_id, account_id) = (claim.clone(), job_id.clone(), account_id.clone());
            let identity = identity.clone();
            async move {
                claim.require_live(tx).await?;
                let id = tx.id();
                let row = listing_form_sessions::ActiveModel {
                    id: Set(id.clone()),
                    publish_job_id: Set(job_id),
                    account_id: Set(account_id),
                    claim_epoch: Set(claim.epoch),
                    identity: Set(identity),
                    worker_id: Set(claim.worker_id.clone()),
                    state: Set(FormSessionState::Open),
                    create_time: Set(tx.now().await?),
                    end_time: Set(None),
                };
                listing_form_sessions::Entity::insert(row)
                    .exec_without_returning(tx)
                    .await?;
                Ok(id)
            }
            .boxed()
        })
        .await
}

/// Stores the data that became known when the browser started. Call this before the first navigation.
pub async fn identify(store: &Store, id: &str, identity: &ListingFormIdentity) -> Result<()> {
    let identified = listing_form_sessions::ActiveModel {
        identity: Set(serde_json::to_string(identity)?),
        ..Default::default()
    };
    update(store, id, identified).await
}

/// Records that a form session can no longer act: it was ended, or its processes are gone.
pub async fn ended(store: &Store, id: &str) -> Result<()> {
    let ended = listing_form_sessions::ActiveModel {
        state: Set(FormSessionState::Ended),
        end_time: Set(Some(store.now().await?)),
        ..Default::default()
    };
    update(store, id, ended).await
}

/// Writes the values that are set. A session that no longer exists is not an error.
async fn update(store: &Store, id: &str, values: listing_form_sessions::ActiveModel) -> Result<()> {
    let id = id.to_owned();
    store
        .write(move |tx| {
            let (id, values) = (id.clone(), values.clone());
            async move {
                listing_form_sessions::Entity::update_many()
                    .set(values)
                    .filter(listing_form_sessions::Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Lists the form sessions of an account that are not known to have ended.
pub async fn list_open(store: &Store, account_id: &str) -> Result<Vec<FormSessionRow>> {
    let open = Condition::all()
        .add(listing_form_sessions::Column::AccountId.eq(account_id))
        .add(listing_form_sessions::Column::State.eq(FormSessionState::Open));
    Ok(listing_form_sessions::Entity::find()
        .filter(open)
        .all(store.reader())
        .await?)
}

/// Lists the form sessions of all accounts that are not known to have ended.
pub async fn list_all_open(store: &Store) -> Result<Vec<FormSessionRow>> {
    let open = listing_form_sessions::Column::State.eq(FormSessionState::Open);
    Ok(listing_form_sessions::Entity::find()
        .filter(open)
        .all(store.reader())
        .await?)
}
