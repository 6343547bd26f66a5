//! Replies that have not ended.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Reply;
use crate::identity::Caller;
use crate::paging::{self, Page, PageRequest, Window};
use crate::store::Tx;
use crate::store::entities::replies::{Column, Entity};
use crate::{Domain, Error, Reason, Result};

/// The caller's replies that have not ended, in the order of their ids.
pub async fn open_replies(domain: &Domain, caller: &Caller, page: &PageRequest) -> Result<Page<Reply>> {
    let method = (caller.owner_id.as_str(), "open replies");
    let window = Window::<String>::open(&domain.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find()
        .filter(Column::OwnerId.eq(caller.owner_id.as_str()))
        .filter(Column::EndTime.is_null());
    if let Some(after) = &window.after {
        query = query.filter(Column::Id.gt(after.as_str()));
    }
    let rows = query
        .order_by_asc(Column::Id)
        .limit(window.to_read())
        .all(domain.store.reader())
        .await?;
    let replies = rows.into_iter().map(Reply::from).collect();
    window.close(&domain.keys, replies, |reply: &Reply| reply.id.clone())
}

/// Refuses with REPLY_OPEN where a reply that has not ended stands in the way.
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
            "a reply that has not ended stands in the way; cancel it, answer what it asks, or wait for its end",
        )
        .with("reply_id", reply.id)),
    }
}
