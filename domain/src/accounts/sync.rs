//! Looking at accounts from the outside: how the worker reaches them, and queueing a look at each.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use vintedbot_marketplace::Seat;

use super::{Account, AccountState, seat};
use crate::clock::Millis;
use crate::store::Store;
use crate::store::entities::{accounts, catalogs};
use crate::{Domain, Result};

/// How an account is reached; `None` for one that is gone or paused.
pub async fn seat_of(domain: &Domain, account_id: &str) -> Result<Option<Seat>> {
    let row = accounts::Entity::find_by_id(account_id).one(domain.store.reader()).await?;
    let row = row.filter(|row| row.delete_time.is_none() && row.state == AccountState::Active);
    Ok(row.map(|row| seat(&Account::from(row))))
}

/// How old a catalog may be before it is read again: categories change with the site's releases, not by the hour.
const CATALOG_AGE: Millis = 24 * 60 * 60 * 1000;

/// Whether the catalog of an account's site has to be read.
pub async fn needs_catalog(domain: &Domain, seat: &Seat) -> Result<bool> {
    let key = (seat.site.clone(), seat.language.code().to_owned());
    let row = catalogs::Entity::find_by_id(key).one(domain.store.reader()).await?;
    let oldest = domain.store.now().await? - CATALOG_AGE;
    Ok(row.is_none_or(|row| row.fetch_time < oldest))
}

/// Queues a look at every account that is active. Returns how many.
pub async fn queue_all(store: &Store) -> Result<usize> {
    store
        .write(move |tx| {
            async move {
                let active = accounts::Entity::find()
                    .filter(accounts::Column::State.eq(AccountState::Active))
                    .filter(accounts::Column::DeleteTime.is_null())
                    .all(tx)
                    .await?;
                for account in &active {
                    super::create::connect(tx, account).await?;
                }
                Ok(active.len())
            }
            .boxed()
        })
        .await
}
