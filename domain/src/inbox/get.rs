//! `GetThread`.

use sea_orm::{ColumnTrait, QueryFilter};

use super::Thread;
use super::row::present;
use crate::identity::Caller;
use crate::store::entities::threads;
use crate::{Domain, Error, Result};

/// One thread of the caller.
pub async fn get(domain: &Domain, caller: &Caller, id: &str) -> Result<Thread> {
    let found = present(&caller.owner_id)
        .filter(threads::Column::Id.eq(id))
        .one(domain.store.reader())
        .await?;
    found
        .map(|(row, person)| Thread::of(row, person))
        .ok_or_else(|| Error::not_found("thread", id))
}
