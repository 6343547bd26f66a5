//! Cleanup of photos that were never used and of files that no row references.
//!
//! A photo that a listing, a reply or a message has used is marked as used ([`mark_used`]) and stays until it is
//! deleted. An unused photo is removed only if no text in any table contains its id or hash. This also protects photos
//! in the revisions of publish jobs and in the payloads of jobs.

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
use crate::{Context, Error, Result};

/// The folder of photo files.
const FOLDER: &str = "photos";
/// The number of hashes that one query looks up.
const BATCH: usize = 200;
/// Above this number of files without a row, the cleanup stops if they are more than half of all files: the database is
/// probably the wrong one.
const MAX_ORPHANS: usize = 50;
/// Tables whose texts may mention a photo without needing it: the photos themselves, records of past calls and events,
/// and catalogues.
const IGNORED_TABLES: [&str; 6] = [
    "photos",
    "events",
    "requests",
    "webhook_deliveries",
    "webhook_attempts",
    "catalogs",
];
/// The length of an id, in characters.
const ID_LENGTH: usize = 36;
/// The length of a hash, in characters.
const HASH_LENGTH: usize = 64;

/// Marks photos as used. Call it in the transaction that uses them.
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

/// Removes photos that were uploaded before `before` and never used, and older files that no row references. Returns a
/// summary.
///
/// # Errors
/// More than 50 files, and more than half of all, have no row. None of them is removed then.
pub async fn clean(context: &Context, before: Millis) -> Result<String> {
    let mut removed = 0;
    for (id, sha256) in never_used(context, before).await? {
        if remove_if_unused(context, &id).await? {
            removal::remove(context, &sha256).await?;
            removed += 1;
        }
    }
    let files = clean_files(context, before).await?;
    Ok(format!(
        "removed {removed} unused photos and {files} files without a photo"
    ))
}

/// Returns the ids and hashes of unused photos that no text mentions.
async fn never_used(context: &Context, before: Millis) -> Result<Vec<(String, String)>> {
    let rows: Vec<(String, String)> = photos::Entity::find()
        .select_only()
        .columns([photos::Column::Id, photos::Column::Sha256])
        .filter(photos::Column::Used.eq(false))
        .filter(photos::Column::CreateTime.lt(before))
        .into_tuple()
        .all(context.store.reader())
        .await?;
    if rows.is_empty() {
        return Ok(rows);
    }
    let mut ids: HashMap<String, String> = rows.into_iter().collect();
    let mut by_hash: HashMap<String, Vec<String>> = HashMap::new();
    for (id, sha256) in &ids {
        by_hash.entry(sha256.clone()).or_default().push(id.clone());
    }
    texts(&context.store, &IGNORED_TABLES, |text| {
        for word in text.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-') {
            match word.len() {
                ID_LENGTH => drop(ids.remove(word)),
                HASH_LENGTH => {
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

/// Deletes the row of a photo. Returns `false` if the photo has been used in the meantime.
async fn remove_if_unused(context: &Context, id: &str) -> Result<bool> {
    let id = id.to_owned();
    context
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

async fn clean_files(context: &Context, before: Millis) -> Result<usize> {
    let keys = context.files.list(FOLDER).await?;
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
            .all(context.store.reader())
            .await?;
        orphans.extend(
            chunk
                .iter()
                .filter(|(hash, _)| !known.iter().any(|known| known == hash)),
        );
    }
    if orphans.len() > MAX_ORPHANS && orphans.len() * 2 > hashes.len() {
        return Err(Error::Internal(format!(
            "{} of {} files of photos have no row in the database; none was removed. Check that the database and the \
             media store belong together",
            orphans.len(),
            hashes.len()
        )));
    }
    let mut removed = 0;
    for (hash, key) in orphans {
        let is_old = context
            .files
            .changed(key)
            .await
            .map_err(file_error)?
            .is_some_and(|time| time < before);
        if is_old {
            // A concurrent upload of the same photo either clears the tombstone or stores its file again.
            remove_unused(context, &[(*hash).to_owned()]).await?;
            removed += 1;
        }
    }
    Ok(removed)
}
