//! `GetReply` and `ListReplies`.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::token;
use crate::clock::Millis;
use crate::identity::Caller;
use crate::inbox::{Reply, ReplyState};
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::entities::replies::{Column, Entity, Model};
use crate::{Domain, Error, Result};

/// Which replies to list.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Filter {
    /// Empty: of all threads.
    pub thread_id: String,
    /// Empty: in any state.
    pub states: Vec<ReplyState>,
}

/// One reply of the caller.
pub async fn get(domain: &Domain, caller: &Caller, id: &str) -> Result<Reply> {
    Ok(find(domain, caller, id).await?.into())
}

/// One reply of the caller, with the token that confirms it and that token's end. No token while it does not wait for a
/// confirmation.
pub async fn get_with_token(
    domain: &Domain,
    caller: &Caller,
    id: &str,
) -> Result<(Reply, Option<(String, Millis)>)> {
    let row = find(domain, caller, id).await?;
    let token = if row.state == ReplyState::AwaitingConfirmation {
        token::issue(&domain.keys, &row)
    } else {
        None
    };
    Ok((row.into(), token))
}

async fn find(domain: &Domain, caller: &Caller, id: &str) -> Result<Model> {
    Entity::find_by_id(id)
        .filter(Column::OwnerId.eq(caller.owner_id.as_str()))
        .one(domain.store.reader())
        .await?
        .ok_or_else(|| Error::not_found("reply", id))
}

/// The caller's replies, newest first.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &PageRequest,
) -> Result<Page<Reply>> {
    let method = (caller.owner_id.as_str(), "ListReplies");
    let window = Window::<Place>::open(&domain.keys, paging::RESOURCES, method, filter, page)?;
    let mut query = Entity::find().filter(Column::OwnerId.eq(caller.owner_id.as_str()));
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
        .all(domain.store.reader())
        .await?;
    window.close(
        &domain.keys,
        rows.into_iter().map(Reply::from).collect(),
        |reply| (reply.create_time, reply.id.clone()),
    )
}
