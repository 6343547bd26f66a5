//! `GetAccount` and `ListAccounts`.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Account;
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageQuery, PageRequest, Position};
use crate::store::OfWorkspace;
use crate::store::entities::accounts::{Column, Entity};
use crate::{Context, Error, Result};

/// Gets an account of the caller's workspace.
pub async fn get(context: &Context, caller: &Caller, id: &str) -> Result<Account> {
    let row = Entity::find_by_id(id)
        .of_workspace(&caller.workspace_id)
        .filter(Column::DeleteTime.is_null())
        .one(context.store.reader())
        .await?;
    row.map(Account::from)
        .ok_or_else(|| Error::not_found("account", id))
}

/// Lists the accounts of the caller's workspace, oldest first.
pub async fn list(context: &Context, caller: &Caller, page: &PageRequest) -> Result<Page<Account>> {
    let method = (caller.workspace_id.as_str(), "ListAccounts");
    let query_page = PageQuery::<Position>::open(&context.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find()
        .of_workspace(&caller.workspace_id)
        .filter(Column::DeleteTime.is_null());
    if let Some(condition) = query_page.condition(Column::CreateTime, Column::Id, Order::OldestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_asc(Column::CreateTime)
        .order_by_asc(Column::Id)
        .limit(query_page.to_read())
        .all(context.store.reader())
        .await?;
    let accounts = rows.into_iter().map(Account::from).collect();
    query_page.close(&context.keys, accounts, |account| {
        (account.create_time, account.id.clone())
    })
}
