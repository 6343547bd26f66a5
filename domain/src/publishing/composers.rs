//! Attempts at the form, written down before they begin, so that a successor can end what a dead process left behind.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};
use vintedbot_marketplace::ComposerIdentity;

use super::ComposerState;
use crate::Result;
use crate::jobs::Claim;
use crate::store::Store;
use crate::store::entities::composers;

pub use composers::Model as ComposerRow;

/// Writes down an attempt that is about to start. What is not known yet is added by [`identify`].
pub async fn open(
    store: &Store,
    claim: &Claim,
    job_id: &str,
    account_id: &str,
    identity: &ComposerIdentity,
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
                let row = composers::ActiveModel {
                    id: Set(id.clone()),
                    publish_job_id: Set(job_id),
                    account_id: Set(account_id),
                    claim_epoch: Set(claim.epoch),
                    identity: Set(identity),
                    worker_id: Set(claim.worker_id.clone()),
                    state: Set(ComposerState::Open),
                    create_time: Set(tx.now().await?),
                    end_time: Set(None),
                };
                composers::Entity::insert(row).exec_without_returning(tx).await?;
                Ok(id)
            }
            .boxed()
        })
        .await
}

/// Adds what became known when the browser started, before it goes anywhere.
pub async fn identify(store: &Store, id: &str, identity: &ComposerIdentity) -> Result<()> {
    let (id, identity) = (id.to_owned(), serde_json::to_string(identity)?);
    store
        .write(move |tx| {
            let (id, identity) = (id.clone(), identity.clone());
            async move {
                composers::Entity::update_many()
                    .col_expr(composers::Column::Identity, Expr::value(identity))
                    .filter(composers::Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Notes that an attempt can no longer act: it was ended by us, or seen to be gone.
pub async fn ended(store: &Store, id: &str) -> Result<()> {
    let id = id.to_owned();
    store
        .write(move |tx| {
            let id = id.clone();
            async move {
                let now = tx.now().await?;
                composers::Entity::update_many()
                    .col_expr(composers::Column::State, Expr::value(ComposerState::Ended))
                    .col_expr(composers::Column::EndTime, Expr::value(now))
                    .filter(composers::Column::Id.eq(id))
                    .exec(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Attempts for an account that are not known to have ended.
pub async fn list_open(store: &Store, account_id: &str) -> Result<Vec<ComposerRow>> {
    let open = Condition::all()
        .add(composers::Column::AccountId.eq(account_id))
        .add(composers::Column::State.eq(ComposerState::Open));
    Ok(composers::Entity::find().filter(open).all(store.reader()).await?)
}

/// Attempts of every account that are not known to have ended.
pub async fn list_all_open(store: &Store) -> Result<Vec<ComposerRow>> {
    let open = composers::Column::State.eq(ComposerState::Open);
    Ok(composers::Entity::find().filter(open).all(store.reader()).await?)
}
