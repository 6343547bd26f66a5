//! Which item on the site is whose: each at most once per account, and of the member that the account was there.

use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use crate::store::Tx;
use crate::store::entities::{accounts, publish_jobs, remote_items};
use crate::{Error, Reason, Result};

/// Claims an item for a job's listing. The same claim again is fine, also where the listing was imported from that item;
/// another listing's is REMOTE_ITEM_TAKEN.
pub(super) async fn claim_item(tx: &Tx, job: &publish_jobs::Model, remote_item_id: &str) -> Result<()> {
    let key = (job.account_id.clone(), remote_item_id.to_owned());
    let account = accounts::Entity::find_by_id(&job.account_id).one(tx).await?;
    let member_id = account
        .filter(|account| account.site == job.site)
        .and_then(|account| account.member_id);
    if let Some(taken) = remote_items::Entity::find_by_id(key).one(tx).await? {
        if taken.publish_job_id == job.id {
            return Ok(());
        }
        if taken.listing_id == job.listing_id {
            let taken = remote_items::Model {
                publish_job_id: job.id.clone(),
                member_id,
                ..taken
            };
            taken.into_active_model().reset_all().update(tx).await?;
            return Ok(());
        }
        return Err(
            Error::rejected(Reason::RemoteItemTaken, "that item belongs to another listing")
                .with("listing_id", taken.listing_id),
        );
    }
    let row = remote_items::ActiveModel {
        account_id: Set(job.account_id.clone()),
        remote_item_id: Set(remote_item_id.to_owned()),
        site: Set(job.site.clone()),
        publish_job_id: Set(job.id.clone()),
        listing_id: Set(job.listing_id.clone()),
        claim_time: Set(tx.now().await?),
        member_id: Set(member_id),
    };
    remote_items::Entity::insert(row)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Refuses to change an item of another member than the account is now: it would look as if it were gone.
pub(super) async fn require_own(
    tx: &Tx,
    account: &accounts::Model,
    remote_item_id: Option<&str>,
) -> Result<()> {
    let key = (account.id.clone(), remote_item_id.unwrap_or_default().to_owned());
    let claim = remote_items::Entity::find_by_id(key).one(tx).await?;
    let owner = claim.and_then(|claim| claim.member_id);
    match (owner, &account.member_id) {
        (Some(owner), Some(member_id)) if owner != *member_id => {
            let message =
                "the item belongs to another member than the account is now; import that one's session first";
            Err(Error::rejected(Reason::SessionOtherMember, message)
                .with("member_id", member_id)
                .with(
                    "member_login",
                    account.member_login.as_deref().unwrap_or_default(),
                ))
        }
        _ => Ok(()),
    }
}

/// Every claimed id of an account, with the job that it belongs to.
pub(super) async fn claimed(
    connection: &impl ConnectionTrait,
    account_id: &str,
) -> Result<std::collections::HashMap<String, String>> {
    let rows: Vec<(String, String)> = remote_items::Entity::find()
        .select_only()
        .column(remote_items::Column::RemoteItemId)
        .column(remote_items::Column::PublishJobId)
        .filter(remote_items::Column::AccountId.eq(account_id))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().collect())
}
