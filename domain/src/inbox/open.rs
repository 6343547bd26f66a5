//! Replies that have not ended.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Reply;
use crate::identity::Caller;
use crate::paging::{self, Page, PageQuery, PageRequest};
use crate::store::entities::replies::{Column, Entity};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result};

/// Lists the caller's replies that have not ended, sorted by id.
pub async fn open_replies(context: &Context, caller: &Caller, page: &PageRequest) -> Result<Page<Reply>> {
    let method = (caller.workspace_id.as_str(), "open replies");
    let window = PageQuery::<String>::open(&context.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find()
        .of_workspace(&caller.workspace_id)
        .filter(Column::EndTime.is_null());
    if let Some(after) = &window.after {
        query = query.filter(Column::Id.gt(after.as_str()));
    }
    let rows = query
        .order_by_asc(Column::Id)
        .limit(window.to_read())
        .all(context.store.reader())
        .await?;
    let replies = rows.into_iter().map(Reply::from).collect();
    window.close(&context.keys, replies, |reply: &Reply| reply.id.clone())
}

/// Fails with REPLY_OPEN if a reply that matches has not ended.
pub(super) async fn refuse_open_replies(tx: &Tx, of: Column, id: &str) -> Result<()> {
    let open = Entity::find()
        .filter(of.eq(id))
        .filter(Column::EndTime.is_null())
        .one(tx)
        .await?;
    match open {
        None => Ok(()),
        Some(reply) => Err(Error::rejected(
            Reason::ReplyOpen,
            "a reply has not ended; cancel it, resolve it, or wait until it ends",
        )
        .with("reply_id", reply.id)),
    }
}
