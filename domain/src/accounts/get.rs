//! `GetAccount` and `ListAccounts`.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Account;
use crate::identity::Caller;
use crate::paging::{self, Order, Page, PageRequest, Place, Window};
use crate::store::entities::accounts::{Column, Entity};
use crate::{Domain, Error, Result};

/// One account of the caller.
pub async fn get(domain: &Domain, caller: &Caller, id: &str) -> Result<Account> {
    let row = Entity::find_by_id(id)
        .filter(Column::OwnerId.eq(caller.owner_id.as_str()))
        .filter(Column::DeleteTime.is_null())
        .one(domain.store.reader())
        .await?;
    row.map(Account::from)
        .ok_or_else(|| Error::not_found("account", id))
}

/// The caller's accounts, oldest first.
pub async fn list(domain: &Domain, caller: &Caller, page: &PageRequest) -> Result<Page<Account>> {
    let method = (caller.owner_id.as_str(), "ListAccounts");
    let window = Window::<Place>::open(&domain.keys, paging::RESOURCES, method, &(), page)?;
    let mut query = Entity::find()
        .filter(Column::OwnerId.eq(caller.owner_id.as_str()))
        .filter(Column::DeleteTime.is_null());
    if let Some(condition) = window.condition(Column::CreateTime, Column::Id, Order::OldestFirst) {
        query = query.filter(condition);
    }
    let rows = query
        .order_by_asc(Column::CreateTime)
        .order_by_asc(Column::Id)
        .limit(window.to_read())
        .all(domain.store.reader())
        .await?;
    let accounts = rows.into_iter().map(Account::from).collect();
    window.close(&domain.keys, accounts, |account| {
        (account.create_time, account.id.clone())
    })
}
