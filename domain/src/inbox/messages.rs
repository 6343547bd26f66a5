//! `ListMessages`.

use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef};

use super::{Message, get};
use crate::identity::Caller;
use crate::paging::{self, Page, PageQuery, PageRequest};
use crate::store::OfWorkspace;
use crate::store::entities::messages::{Column, Entity};
use crate::store::entities::threads;
use crate::{Context, Result};

/// The relation from a message to its thread.
pub(super) fn to_thread() -> RelationDef {
    Entity::belongs_to(threads::Entity)
        .from(Column::ThreadId)
        .to(threads::Column::Id)
        .into()
}

/// Lists the messages of a thread, newest or oldest first.
pub async fn list_messages(
    context: &Context,
    caller: &Caller,
    thread_id: &str,
    oldest_first: bool,
    page: &PageRequest,
) -> Result<Page<Message>> {
    let method = (caller.workspace_id.as_str(), "ListMessages");
    let parameters = (thread_id, oldest_first);
    let window = PageQuery::<i64>::open(&context.keys, paging::RESOURCES, method, &parameters, page)?;
    let mut query = Entity::find()
        .join(JoinType::InnerJoin, to_thread())
        .filter(Column::ThreadId.eq(thread_id))
        .of_workspace(&caller.workspace_id)
        .filter(threads::Column::DeleteTime.is_null());
    if let Some(after) = window.after {
        let behind = if oldest_first {
            Column::Position.gt(after)
        } else {
            Column::Position.lt(after)
        };
        query = query.filter(behind);
    }
    query = if oldest_first {
        query.order_by_asc(Column::Position)
    } else {
        query.order_by_desc(Column::Position)
    };
    let rows = query.limit(window.to_read()).all(context.store.reader()).await?;
    if rows.is_empty() {
        // Either the thread has no messages, or there is no such thread: `get` fails in the second case.
        get(context, caller, thread_id).await?;
    }
    let messages = rows.into_iter().map(Message::from).collect();
    window.close(&context.keys, messages, |message: &Message| message.position)
}
