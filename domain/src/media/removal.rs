//! Removing the files of photos that no row names, at once or, where the media store is away, when it is back.
//!
//! Several processes share one store, and the same content is one file. So a file is condemned by a row; whoever removes
//! it first says so in that row, and whoever is about to name the file takes the row's lock ([`hold`]): they see either
//! that nobody has begun, and take the condemnation away, or that the file is going, and put it again afterwards.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::files::photo_key;
use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::{file_removals, photos};
use crate::{Domain, Result};

/// Longer than the media store's slowest answer: only then is the same file removed by somebody else.
const LEASE: Millis = 2 * 60_000;
/// How soon a removal that failed is tried again.
const AGAIN: Millis = 10_000;
/// Files that one turn removes; the next turn takes the rest.
const BATCH: u64 = 200;

/// To be called in the transaction that names a file which has been put. `false`: the file is being removed at this
/// moment, so that it has to be put again.
pub(super) async fn hold(tx: &Tx, sha256: &str) -> Result<bool> {
    // Written even where nothing is condemned: the row is what two transactions meet at.
    write(tx, sha256).await?;
    let row = file_removals::Entity::find_by_id(sha256).one(tx).await?;
    if row.is_some_and(|row| row.started) {
        return Ok(false);
    }
    file_removals::Entity::delete_by_id(sha256).exec(tx).await?;
    Ok(true)
}

/// Condemns a file; it is removed unless a row names it by then.
pub(super) async fn condemn(tx: &Tx, sha256: &str) -> Result<()> {
    write(tx, sha256).await
}

async fn write(tx: &Tx, sha256: &str) -> Result<()> {
    let row = file_removals::ActiveModel {
        sha256: Set(sha256.to_owned()),
        due_time: Set(tx.now().await?),
        started: Set(false),
    };
    // Sets what is there already, which locks the row.
    let same = OnConflict::column(file_removals::Column::Sha256)
        .update_column(file_removals::Column::Sha256)
        .to_owned();
    file_removals::Entity::insert(row)
        .on_conflict(same)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Condemns files and removes those of them that no row names.
pub(super) async fn remove_unused(domain: &Domain, sha256s: &[String]) -> Result<()> {
    let condemned = sha256s.to_vec();
    domain
        .store
        .write(move |tx| {
            let condemned = condemned.clone();
            async move {
                for sha256 in &condemned {
                    condemn(tx, sha256).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await?;
    for sha256 in sha256s {
        remove(domain, sha256).await?;
    }
    Ok(())
}

/// Removes condemned files that are still there, as after the media store was away. Ends at the first that cannot be
/// removed. Returns how many went.
///
/// # Errors
/// The database's and the media store's.
pub async fn remove_condemned(domain: &Domain) -> Result<u64> {
    let now = domain.store.now().await?;
    let due: Vec<String> = file_removals::Entity::find()
        .select_only()
        .column(file_removals::Column::Sha256)
        .filter(file_removals::Column::DueTime.lte(now))
        .order_by_asc(file_removals::Column::DueTime)
        .limit(BATCH)
        .into_tuple()
        .all(domain.store.reader())
        .await?;
    let mut removed = 0;
    for sha256 in due {
        removed += u64::from(remove(domain, &sha256).await?);
    }
    Ok(removed)
}

/// Removes one condemned file. `false`: it is used again, or somebody else removes it.
pub(super) async fn remove(domain: &Domain, sha256: &str) -> Result<bool> {
    let Some(until) = begin(domain, sha256).await? else {
        return Ok(false);
    };
    let removed = domain.files.delete(&photo_key(sha256)?).await;
    let (sha256, is_gone) = (sha256.to_owned(), removed.is_ok());
    domain
        .store
        .write(move |tx| {
            let ours = Condition::all()
                .add(file_removals::Column::Sha256.eq(sha256.as_str()))
                .add(file_removals::Column::DueTime.eq(until));
            async move {
                if is_gone {
                    file_removals::Entity::delete_many().filter(ours).exec(tx).await?;
                } else {
                    let again = tx.now().await? + AGAIN;
                    file_removals::Entity::update_many()
                        .col_expr(file_removals::Column::DueTime, Expr::value(again))
                        .filter(ours)
                        .exec(tx)
                        .await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await?;
    removed?;
    Ok(true)
}

/// Says that the removal begins, and until when nobody else is to try.
async fn begin(domain: &Domain, sha256: &str) -> Result<Option<Millis>> {
    let sha256 = sha256.to_owned();
    domain
        .store
        .write(move |tx| {
            let sha256 = sha256.clone();
            async move {
                let row = tx.locked(file_removals::Entity::find_by_id(&sha256));
                let now = tx.now().await?;
                if row.one(tx).await?.is_none_or(|row| row.due_time > now) {
                    return Ok(None);
                }
                let named = photos::Entity::find().filter(photos::Column::Sha256.eq(sha256.as_str()));
                if named.count(tx).await? > 0 {
                    file_removals::Entity::delete_by_id(&sha256).exec(tx).await?;
                    return Ok(None);
                }
                let until = now + LEASE;
                file_removals::Entity::update_many()
                    .col_expr(file_removals::Column::DueTime, Expr::value(until))
                    .col_expr(file_removals::Column::Started, Expr::value(true))
                    .filter(file_removals::Column::Sha256.eq(sha256))
                    .exec(tx)
                    .await?;
                Ok(Some(until))
            }
            .boxed()
        })
        .await
}
