//! What connecting an account to its site means here: who it is there, and what the site offers. The worker's
//! `ConnectAccount` job does it when an account is made or moves, and from time to time.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use vintedbot_marketplace::Seat;

use super::account::save;
use super::{Account, AccountState, open, seat};
use crate::clock::Millis;
use crate::events::Kind;
use crate::jobs::{self, NewJob};
use crate::store::entities::{accounts, catalogs};
use crate::store::{Store, Tx};
use crate::{Domain, Error, Reason, Result};

/// Said of jobs that were prepared for somebody else.
pub(super) const OTHER_MEMBER: &str = "the account is another member on the site now; prepare again";
/// How long what a site offers is believed: its categories change a few times a year.
const CATALOG_AGE_MAX: Millis = 24 * 60 * 60 * 1000;

/// Queues the job that learns who an account is on its site and what the site offers.
pub(super) async fn queue(tx: &Tx, row: &accounts::Model) -> Result<()> {
    let job = NewJob {
        kind: jobs::Kind::ConnectAccount,
        owner_id: Some(row.owner_id.clone()),
        account_id: Some(row.id.clone()),
        subject_id: row.id.clone(),
        due_time: tx.now().await?,
        // One that is already at work may have read what was there before, so site and language are part of the key.
        unique_key: Some(format!("connect:{}:{}:{}", row.id, row.site, row.language)),
    };
    jobs::enqueue(tx, job).await?;
    Ok(())
}

/// Queues that job for every account. Returns how many there are.
pub async fn queue_all(store: &Store) -> Result<usize> {
    store
        .write(|tx| {
            async move {
                let rows = accounts::Entity::find()
                    .filter(accounts::Column::DeleteTime.is_null())
                    .all(tx)
                    .await?;
                for row in &rows {
                    queue(tx, row).await?;
                }
                Ok(rows.len())
            }
            .boxed()
        })
        .await
}

/// Everything that a connector needs to know to act for an account; `None` for one that was removed.
pub async fn seat_of(domain: &Domain, account_id: &str) -> Result<Option<Seat>> {
    let row = accounts::Entity::find_by_id(account_id)
        .one(domain.store.reader())
        .await?;
    Ok(row
        .filter(|row| row.delete_time.is_none())
        .map(|row| seat(&Account::from(row))))
}

/// Whether nothing may be asked of the account's site now: a person has to look first, or the site wants to be left alone.
pub async fn is_left_alone(domain: &Domain, account_id: &str) -> Result<bool> {
    let row = accounts::Entity::find_by_id(account_id)
        .one(domain.store.reader())
        .await?;
    let now = domain.store.now().await?;
    Ok(row.is_some_and(|row| {
        row.state == AccountState::Paused || row.quiet_until.is_some_and(|until| until > now)
    }))
}

/// Whether what the seat's site offers, in its language, was never read or is a day old.
pub async fn needs_catalog(domain: &Domain, seat: &Seat) -> Result<bool> {
    let key = (seat.site.clone(), seat.language.code().to_owned());
    let fetch_time: Option<Millis> = catalogs::Entity::find_by_id(key)
        .select_only()
        .column(catalogs::Column::FetchTime)
        .into_tuple()
        .one(domain.store.reader())
        .await?;
    let now = domain.store.now().await?;
    Ok(fetch_time.is_none_or(|time| time + CATALOG_AGE_MAX <= now))
}

/// Records the member that an account is on that site. What is known already changes nothing. `false`: the account works on
/// another site by now, where it may be anybody.
pub async fn record_member(
    tx: &Tx,
    account_id: &str,
    site: &str,
    member_id: &str,
    login: &str,
) -> Result<bool> {
    let row = tx
        .locked(accounts::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    let row = row.filter(|row| row.delete_time.is_none());
    let row = row.ok_or_else(|| Error::not_found("account", account_id))?;
    if row.site != site {
        return Ok(false);
    }
    if row.member_id.as_deref() == Some(member_id) && row.member_login.as_deref() == Some(login) {
        return Ok(true);
    }
    if row.member_id.as_deref().is_some_and(|before| before != member_id) {
        // What was approved was approved for the other one.
        open::cancel(tx, &row.id, Reason::SessionOtherMember, OTHER_MEMBER).await?;
    }
    let row = accounts::Model {
        member_id: Some(member_id.to_owned()),
        member_login: Some(login.to_owned()),
        ..row
    };
    save(tx, row, Kind::AccountUpdated).await?;
    Ok(true)
}
