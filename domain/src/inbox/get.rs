//! `GetThread`.

use sea_orm::{ColumnTrait, QueryFilter};

use super::Thread;
use super::row::present;
use crate::identity::Caller;
use crate::store::entities::threads;
use crate::{Context, Error, Result};

/// Returns a thread of the caller's workspace.
pub async fn get(context: &Context, caller: &Caller, id: &str) -> Result<Thread> {
    let found = present(&caller.workspace_id)
        .filter(threads::Column::Id.eq(id))
        .one(context.store.reader())
        .await?;
    found
        .map(|(row, person)| Thread::of(row, person))
        .ok_or_else(|| Error::not_found("thread", id))
}
