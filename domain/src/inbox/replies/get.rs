//! `GetReply` and `ListReplies`.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::token;
use crate::clock::Millis;
use crate::identity::Caller;
use crate::inbox::{Reply, ReplyState};
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::OfWorkspace;
use crate::store::entities::replies::{Column, Entity, Model};
use crate::{Context, Error, Result};

/// The filter of `ListReplies`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    /// Empty: all threads.
    pub thread_id: String,
    /// Empty: all states.
    pub states: Vec<ReplyState>,
}

/// Returns a reply of the caller's workspace.
pub async fn get(context: &Context, caller: &Caller, id: &str) -> Result<Reply> {
    Ok(find(context, caller, id).await?.into())
}

/// Returns a reply with its confirm token and the token's expiry. `None` if the reply is not waiting for a
/// confirmation.
pub async fn get_with_token(
    context: &Context,
    caller: &Caller,
    id: &str,
) -> Result<(Reply, Option<(String, Millis)>)> {
    let row = find(context, caller, id).await?;
    let token = if row.state == ReplyState::AwaitingConfirmation {
        token::issue(&context.keys, &row)
    } else {
        None
    };
    Ok((row.into(), token))
}

async fn find(context: &Context, caller: &Caller, id: &str) -> Result<Model> {
    Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .one(context.store.reader())
        .await?
        .ok_or_else(|| Error::not_found("reply", id))
}

/// Lists the caller's replies, newest first.
pub async fn list(
    context: &Context,
    caller: &Caller,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Reply>> {
    let method = (caller.workspace_id.as_str(), "ListReplies");
    let window = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, filter, page)?;
    let mut query = Entity::find().of_workspace(&caller.workspace_id);
    if !filter.thread_id.is_empty() {
        query = query.filter(Column::ThreadId.eq(filter.thread_id.as_str()));
    }
    if !filter.states.is_empty() {
        query = query.filter(Column::State.is_in(filter.states.iter().copied()));
    }
    if let Some(condition) = window.condition(Column::CreateTime, Column::Id, Order::NewestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_desc(Column::CreateTime)
        .order_by_desc(Column::Id)
        .limit(window.to_read())
        .all(context.store.reader())
        .await?;
    window.close(
        &context.keys,
        rows.into_iter().map(Reply::from).collect(),
        |reply| (reply.create_time, reply.id.clone()),
    )
}
