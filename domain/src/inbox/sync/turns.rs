//! The schedules on which inboxes are read: one per account, and the job that each run queues.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sea_orm::sea_query::OnConflict;

use crate::clock::Millis;
use crate::jobs::{self, NewJob};
use crate::store::Tx;
use crate::store::entities::{accounts, inbox_syncs, schedules};
use crate::{Context, Result};

/// The prefix of these schedules' ids; the account id follows.
const PREFIX: &str = "inbox_sync:";

/// Returns the schedule id of an account.
pub fn schedule_id(account_id: &str) -> String {
    format!("{PREFIX}{account_id}")
}

/// Returns the account of an inbox schedule. `None`: it is another schedule.
pub fn account_of(schedule_id: &str) -> Option<&str> {
    schedule_id.strip_prefix(PREFIX)
}

/// Creates the schedule of an account's inbox: the first run at once, then one per interval. An existing schedule is
/// not changed, because a person may have edited it.
pub async fn ensure(context: &Context, account_id: &str, interval_ms: Millis) -> Result<()> {
    let id = schedule_id(account_id);
    let known = schedules::Entity::find_by_id(&id)
        .one(context.store.reader())
        .await?;
    if known.is_some() {
        return Ok(());
    }
    let account_id = account_id.to_owned();
    context
        .store
        .write(move |tx| {
            let (id, account_id) = (id.clone(), account_id.clone());
            async move {
                let account = tx
                    .locked(accounts::Entity::find_by_id(&account_id))
                    .one(tx)
                    .await?;
                if account.is_none_or(|account| account.delete_time.is_some()) {
                    return Ok(());
                }
                let row = schedules::ActiveModel {
                    id: Set(id),
                    interval_ms: Set(interval_ms),
                    enabled: Set(true),
                    next_run: Set(tx.now().await?),
                    last_run: Set(None),
                    last_outcome: Set(None),
                    last_message: Set(None),
                    daily_at: Set(None),
                };
                schedules::Entity::insert(row)
                    .on_conflict(OnConflict::column(schedules::Column::Id).do_nothing().to_owned())
                    .exec_without_returning(tx)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// Deletes the schedule of an account that is deleted.
pub(crate) async fn forget(tx: &Tx, account_id: &str) -> Result<()> {
    schedules::Entity::delete_by_id(schedule_id(account_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Runs an account's schedule: queues a reading of its inbox. Returns the outcome text of the run.
pub async fn take(context: &Context, account_id: &str) -> Result<String> {
    let account_id = account_id.to_owned();
    context
        .store
        .write(move |tx| {
            let account_id = account_id.clone();
            async move {
                let account = accounts::Entity::find_by_id(&account_id).one(tx).await?;
                match account.filter(|account| account.delete_time.is_none()) {
                    Some(account) => {
                        queue(tx, &account).await?;
                        Ok("queued".to_owned())
                    }
                    None => Ok("the account was deleted".to_owned()),
                }
            }
            .boxed()
        })
        .await
}

/// Queues a reading of an account's inbox and returns the job's id. If one is queued or running, returns that job.
pub(super) async fn queue(tx: &Tx, account: &accounts::Model) -> Result<String> {
    let job = NewJob {
        kind: jobs::Kind::SyncInbox,
        workspace_id: Some(account.workspace_id.clone()),
        account_id: Some(account.id.clone()),
        subject_id: account.id.clone(),
        due_time: tx.now().await?,
        unique_key: Some(format!("inbox:{}:{}", account.id, account.site)),
    };
    jobs::enqueue(tx, job).await
}

/// Returns the time of the next scheduled reading of an account's inbox. `None`: no reading is scheduled.
pub(super) async fn next(tx: &Tx, account: &accounts::Model) -> Result<Option<Millis>> {
    let schedule = schedules::Entity::find_by_id(schedule_id(&account.id))
        .one(tx)
        .await?;
    let schedule = schedule.filter(|schedule| schedule.enabled);
    // No request is sent before the cooldown ends.
    Ok(schedule.map(|schedule| schedule.next_run.max(account.cooldown_until.unwrap_or_default())))
}

/// Loads and locks the sync progress of an account's inbox on its present site.
pub(super) async fn progress(tx: &Tx, account: &accounts::Model) -> Result<inbox_syncs::Model> {
    let key = (account.id.clone(), account.site.clone());
    let row = tx.locked(inbox_syncs::Entity::find_by_id(key)).one(tx).await?;
    Ok(row.unwrap_or_else(|| beginning(account)))
}

/// Returns the progress of an inbox that has not been read.
pub(super) fn beginning(account: &accounts::Model) -> inbox_syncs::Model {
    inbox_syncs::Model {
        account_id: account.id.clone(),
        site: account.site.clone(),
        watermark: 0,
        full_time: None,
        last_read_time: None,
        next_read_time: None,
        late_reason: None,
        late_message: None,
        asked: "[]".to_owned(),
        member_id: account.member_id.clone(),
    }
}
