//! Claims on items of the site. Per account, an item is claimed by at most one listing; the claim records the member.

use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use crate::store::Tx;
use crate::store::entities::{accounts, publish_jobs, remote_items};
use crate::{Error, Reason, Result};

/// Claims an item for a job's listing. A repeated claim succeeds, also if the listing was imported from that item.
///
/// # Errors
/// REMOTE_ITEM_ALREADY_LINKED if another listing has claimed the item.
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
        return Err(Error::rejected(
            Reason::RemoteItemAlreadyLinked,
            "the item is linked to another listing",
        )
        .with("listing_id", taken.listing_id));
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

/// Checks that an item belongs to the account's current member. An item of another member would look deleted.
///
/// # Errors
/// SESSION_MEMBER_MISMATCH.
pub(super) async fn require_own(
    tx: &Tx,
    account: &accounts::Model,
    remote_item_id: Option<&str>,
) -> Result<()> {
    let key = (account.id.clone(), remote_item_id.unwrap_or_default().to_owned());
    let claim = remote_items::Entity::find_by_id(key).one(tx).await?;
    let item_member = claim.and_then(|claim| claim.member_id);
    match (item_member, &account.member_id) {
        (Some(item_member), Some(member_id)) if item_member != *member_id => {
            let message =
                "the item belongs to a previous member of this account; import that member's session first";
            Err(Error::rejected(Reason::SessionMemberMismatch, message)
                .with("member_id", member_id)
                .with(
                    "member_login",
                    account.member_login.as_deref().unwrap_or_default(),
                ))
        }
        _ => Ok(()),
    }
}

/// Returns the claimed item ids of an account, each with the id of its job.
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
