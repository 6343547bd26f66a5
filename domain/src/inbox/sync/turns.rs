//! When inboxes are read by themselves: a schedule for each account, and the job that a turn of it queues.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use sea_orm::sea_query::OnConflict;

use crate::clock::Millis;
use crate::jobs::{self, NewJob};
use crate::store::Tx;
use crate::store::entities::{accounts, inbox_syncs, schedules};
use crate::{Domain, Result};

/// What the names of these schedules begin with; the account's id follows.
const PREFIX: &str = "inbox_sync:";

/// The name of an account's schedule.
pub fn schedule_id(account_id: &str) -> String {
    format!("{PREFIX}{account_id}")
}

/// The account whose schedule that is, if it is one of these.
pub fn account_of(schedule_id: &str) -> Option<&str> {
    schedule_id.strip_prefix(PREFIX)
}

/// Makes sure that an account's inbox is read by itself: at once, and then at that interval. A schedule that is there is left
/// as it is, since a person may have changed it.
pub async fn ensure(domain: &Domain, account_id: &str, interval_ms: Millis) -> Result<()> {
    let id = schedule_id(account_id);
    let known = schedules::Entity::find_by_id(&id)
        .one(domain.store.reader())
        .await?;
    if known.is_some() {
        return Ok(());
    }
    let account_id = account_id.to_owned();
    domain
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

/// Removes the schedule of an account that is removed.
pub(crate) async fn forget(tx: &Tx, account_id: &str) -> Result<()> {
    schedules::Entity::delete_by_id(schedule_id(account_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// A turn of an account's schedule has come: its inbox is to be read. Says what was done.
pub async fn take(domain: &Domain, account_id: &str) -> Result<String> {
    let account_id = account_id.to_owned();
    domain
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
                    None => Ok("the account is gone".to_owned()),
                }
            }
            .boxed()
        })
        .await
}

/// Queues the reading of an account's inbox; where one is under way, that is the one.
pub(super) async fn queue(tx: &Tx, account: &accounts::Model) -> Result<String> {
    let job = NewJob {
        kind: jobs::Kind::SyncInbox,
        owner_id: Some(account.owner_id.clone()),
        account_id: Some(account.id.clone()),
        subject_id: account.id.clone(),
        due_time: tx.now().await?,
        unique_key: Some(format!("inbox:{}:{}", account.id, account.site)),
    };
    jobs::enqueue(tx, job).await
}

/// When an account's inbox is read next by itself; absent: it is not.
pub(super) async fn next(tx: &Tx, account: &accounts::Model) -> Result<Option<Millis>> {
    let schedule = schedules::Entity::find_by_id(schedule_id(&account.id))
        .one(tx)
        .await?;
    let schedule = schedule.filter(|schedule| schedule.enabled);
    // Before that, its site is left alone.
    Ok(schedule.map(|schedule| schedule.next_run.max(account.quiet_until.unwrap_or_default())))
}

/// How far an account's inbox on its present site has been read, locked.
pub(super) async fn progress(tx: &Tx, account: &accounts::Model) -> Result<inbox_syncs::Model> {
    let key = (account.id.clone(), account.site.clone());
    let row = tx.locked(inbox_syncs::Entity::find_by_id(key)).one(tx).await?;
    Ok(row.unwrap_or_else(|| beginning(account)))
}

/// Nothing of it has been read.
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
