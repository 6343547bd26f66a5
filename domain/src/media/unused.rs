//! Photos that were uploaded and never used, and files that no row names: both go after a while.
//!
//! A photo that a listing, a reply or a message ever had is marked as used ([`mark_used`]) and stays until somebody deletes
//! it. Of those that are not, none goes whose id or hash stands in any text of any table, whatever that text is: so what is
//! frozen in a revision, or told to a job, keeps its photos too.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::delete::remove;
use super::removal::{self, remove_unused};
use super::{file_error, files};
use crate::clock::Millis;
use crate::store::Tx;
use crate::store::entities::{listing_photos, photos};
use crate::transfer::texts;
use crate::{Domain, Error, Result};

/// Where photos are, and how many are asked for at once.
const FOLDER: &str = "photos";
const BATCH: usize = 200;
/// With more files without a row than this, and more than every other one, it is the database that is the wrong one.
const FEW: usize = 50;
/// Tables that tell of photos without needing them: the photos themselves, and what is only told on.
const TELLING: [&str; 6] = [
    "photos",
    "events",
    "requests",
    "webhook_deliveries",
    "webhook_attempts",
    "catalogs",
];
/// Letters of an id and of a hash.
const ID: usize = 36;
const HASH: usize = 64;

/// Marks photos as used, in the transaction that uses them.
pub(crate) async fn mark_used(tx: &Tx, photo_ids: &[String]) -> Result<()> {
    if photo_ids.is_empty() {
        return Ok(());
    }
    photos::Entity::update_many()
        .col_expr(photos::Column::Used, Expr::value(true))
        .filter(photos::Column::Id.is_in(photo_ids.iter().map(String::as_str)))
        .filter(photos::Column::Used.eq(false))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes photos that were uploaded before `before` and never used, and files from before it that no row names. Says how
/// many of each.
///
/// # Errors
/// So many files have no row that none of them is removed.
pub async fn clean(domain: &Domain, before: Millis) -> Result<String> {
    let mut removed = 0;
    for (id, sha256) in never_used(domain, before).await? {
        if remove_if_unused(domain, &id).await? {
            removal::remove(domain, &sha256).await?;
            removed += 1;
        }
    }
    let files = clean_files(domain, before).await?;
    Ok(format!(
        "removed {removed} unused photos and {files} files of nothing"
    ))
}

/// Ids and hashes of photos that nothing refers to.
async fn never_used(domain: &Domain, before: Millis) -> Result<Vec<(String, String)>> {
    let rows: Vec<(String, String)> = photos::Entity::find()
        .select_only()
        .columns([photos::Column::Id, photos::Column::Sha256])
        .filter(photos::Column::Used.eq(false))
        .filter(photos::Column::CreateTime.lt(before))
        .into_tuple()
        .all(domain.store.reader())
        .await?;
    if rows.is_empty() {
        return Ok(rows);
    }
    let mut ids: HashMap<String, String> = rows.into_iter().collect();
    let mut by_hash: HashMap<String, Vec<String>> = HashMap::new();
    for (id, sha256) in &ids {
        by_hash.entry(sha256.clone()).or_default().push(id.clone());
    }
    texts(&domain.store, &TELLING, |text| {
        for word in text.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-') {
            match word.len() {
                ID => drop(ids.remove(word)),
                HASH => {
                    for id in by_hash.remove(word).unwrap_or_default() {
                        ids.remove(&id);
                    }
                }
                _ => {}
            }
        }
    })
    .await?;
    Ok(ids.into_iter().collect())
}

/// `false`: it has been used meanwhile.
async fn remove_if_unused(domain: &Domain, id: &str) -> Result<bool> {
    let id = id.to_owned();
    domain
        .store
        .write(move |tx| {
            let id = id.clone();
            async move {
                let row = tx.locked(photos::Entity::find_by_id(&id)).one(tx).await?;
                let Some(row) = row.filter(|row| !row.used) else {
                    return Ok(false);
                };
                let user = listing_photos::Entity::find().filter(listing_photos::Column::PhotoId.eq(id));
                if user.one(tx).await?.is_some() {
                    return Ok(false);
                }
                remove(tx, row).await?;
                Ok(true)
            }
            .boxed()
        })
        .await
}

async fn clean_files(domain: &Domain, before: Millis) -> Result<usize> {
    let keys = domain.files.list(FOLDER).await?;
    let hashes: Vec<(&str, &String)> = keys
        .iter()
        .filter_map(|key| {
            let (_, name) = key.rsplit_once('/')?;
            Some((name.strip_suffix(".jpg")?, key))
        })
        .filter(|(hash, key)| files::photo_key(hash).is_ok_and(|known| known == **key))
        .collect();
    let mut orphans = Vec::new();
    for chunk in hashes.chunks(BATCH) {
        let known: Vec<String> = photos::Entity::find()
            .select_only()
            .column(photos::Column::Sha256)
            .filter(photos::Column::Sha256.is_in(chunk.iter().map(|(hash, _)| *hash)))
            .into_tuple()
            .all(domain.store.reader())
            .await?;
        orphans.extend(
            chunk
                .iter()
                .filter(|(hash, _)| !known.iter().any(|known| known == hash)),
        );
    }
    if orphans.len() > FEW && orphans.len() * 2 > hashes.len() {
        return Err(Error::Internal(format!(
            "{} of {} files of photos have no row, and none was removed: is this the database that belongs to them?",
            orphans.len(),
            hashes.len()
        )));
    }
    let mut removed = 0;
    for (hash, key) in orphans {
        let is_old = domain
            .files
            .changed(key)
            .await
            .map_err(file_error)?
            .is_some_and(|time| time < before);
        if is_old {
            // Whoever stores that photo now is heard before it goes, or puts its file again.
            remove_unused(domain, &[(*hash).to_owned()]).await?;
            removed += 1;
        }
    }
    Ok(removed)
}
