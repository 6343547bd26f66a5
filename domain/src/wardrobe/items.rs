//! The import of single items. An item becomes a listing or is compared with its listing. Items that the wardrobe
//! should list and does not are reported as missing.

use std::collections::HashSet;

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect};
use vintedbot_marketplace::{Field, OwnItem};

use super::compare::{Words, compare};
use super::reading::{Reading, note};
use super::snapshot::{PhotoMapping, RemoteSnapshot};
use super::vocabulary::Vocabulary;
use super::work::{Begun, lock_account};
use crate::clock::Millis;
use crate::jobs::Claim;
use crate::listings::{self, Imported, Listing, ListingState};
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::{
    accounts as account_rows, effects, listings as listing_rows, remote_items, wardrobe_imports,
};
use crate::{Context, Error, Result};

/// The local record of an item on the site.
#[derive(Clone, Debug)]
pub enum Known {
    /// There is no record: the item becomes a listing.
    New,
    /// A listing has the item; the two may differ.
    Listing(Box<Listing>),
    /// A draft that a publish job saved or left on the site: nothing to import.
    Ours,
}

/// Returns the local record of an item.
pub async fn known(context: &Context, begun: &Begun, item_id: &str) -> Result<Known> {
    let key = (begun.account.id.clone(), item_id.to_owned());
    let reader = context.store.reader();
    let Some(claimed) = remote_items::Entity::find_by_id(key).one(reader).await? else {
        return Ok(Known::New);
    };
    let row = listing_rows::Entity::find_by_id(&claimed.listing_id)
        .one(reader)
        .await?;
    Ok(match row {
        // The listing was deleted here, but its item is still on the site.
        None => Known::New,
        Some(row) if row.remote_item_id.as_deref() == Some(item_id) => {
            Known::Listing(Box::new(Listing::from(row)))
        }
        Some(_) => Known::Ours,
    })
}

/// The result of importing an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    Created,
    Known,
    /// A publication of the account is in doubt, and the item may be its result.
    Undecided,
}

/// Creates a listing for an item without one. `photo_ids` are our copies of its photos, as far as they could be
/// fetched.
pub async fn place(
    context: &Context,
    claim: &Claim,
    begun: &Begun,
    item: &OwnItem,
    photo_ids: &[String],
) -> Result<Placed> {
    let words = Vocabulary::of(context, &begun.account.site, begun.account.language).await;
    let (claim, begun, item, photo_ids) = (claim.clone(), begun.clone(), item.clone(), photo_ids.to_vec());
    context
        .store
        .write(move |tx| {
            let (claim, begun, item) = (claim.clone(), begun.clone(), item.clone());
            let (photo_ids, words) = (photo_ids.clone(), words.clone());
            async move { make(tx, &claim, &begun, &item, photo_ids, words.as_words()).await }.boxed()
        })
        .await
}

async fn make(
    tx: &Tx,
    claim: &Claim,
    begun: &Begun,
    item: &OwnItem,
    photo_ids: Vec<String>,
    words: Words<'_>,
) -> Result<Placed> {
    // While this lock on the account is held, no publication of the account can commit an intent.
    let account = lock_account(tx, claim).await?;
    let account = account
        .filter(|account| account.delete_time.is_none())
        .ok_or_else(|| Error::not_found("account", &begun.account.id))?;
    claim.require_live(tx).await?;
    let key = (begun.account.id.clone(), item.id.clone());
    let claimed = remote_items::Entity::find_by_id(key).one(tx).await?;
    if let Some(claimed) = &claimed
        && listings::find(tx, &claimed.listing_id).await?.is_some()
    {
        return Ok(Placed::Known);
    }
    if may_be_ours(tx, &begun.account.id, &item.id).await? {
        return Ok(Placed::Undecided);
    }
    listings::require_photos(tx, &begun.workspace_id, &photo_ids).await?;
    let snapshot = RemoteSnapshot {
        item: Some(item.clone()),
        photo_mapping: Some(PhotoMapping {
            remote_photo_ids: item.photos.iter().map(|photo| photo.id.clone()).collect(),
            photo_ids: photo_ids.clone(),
        }),
        fetched: None,
        closed: item.is_closed,
    };
    let imported = Imported {
        workspace_id: &begun.workspace_id,
        account_id: &begun.account.id,
        site: &begun.account.site,
        currency: &begun.account.site_market()?.currency,
        item,
        photo_ids: &photo_ids,
        remote_snapshot: serde_json::to_string(&snapshot)?,
    };
    let listing_id = listings::insert_imported(tx, imported, words).await?;
    let row = remote_items::ActiveModel {
        account_id: Set(begun.account.id.clone()),
        remote_item_id: Set(item.id.clone()),
        site: Set(begun.account.site.clone()),
        publish_job_id: Set(begun.import_id.clone()),
        listing_id: Set(listing_id),
        claim_time: Set(tx.now().await?),
        member_id: Set(whose(&account, begun)),
    };
    if claimed.is_some() {
        row.update(tx).await?;
    } else {
        remote_items::Entity::insert(row)
            .exec_without_returning(tx)
            .await?;
    }
    // Counted in the same transaction: an import that starts again after a crash continues from this number.
    wardrobe_imports::Entity::update_many()
        .col_expr(
            wardrobe_imports::Column::Created,
            wardrobe_imports::Column::Created.into_expr().add(1),
        )
        .filter(wardrobe_imports::Column::Id.eq(begun.import_id.as_str()))
        .exec(tx)
        .await?;
    Ok(Placed::Created)
}

/// Returns whether an unclaimed item may be the result of an open effect.
async fn may_be_ours(tx: &Tx, account_id: &str, item_id: &str) -> Result<bool> {
    let open = effects::Entity::find()
        .filter(effects::Column::AccountId.eq(account_id))
        .filter(effects::Column::Kind.is_in([
            EffectKind::DraftSave,
            EffectKind::Publish,
            EffectKind::ManualTakeover,
        ]))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    for effect in open.all(tx).await? {
        let known: Vec<String> = serde_json::from_str(&effect.known_remote_ids)?;
        if !known.iter().any(|id| id == item_id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Compares an item of the wardrobe with its listing and stores the differences. `listing` must have been read before
/// the item. `fetched` are our copies of the item's photos, if these differ. Returns whether anything differs.
pub async fn compare_known(
    context: &Context,
    claim: &Claim,
    begun: &Begun,
    listing: &Listing,
    item: &OwnItem,
    fetched: Option<Vec<String>>,
    words: Words<'_>,
) -> Result<bool> {
    let desired = listing
        .remote_snapshot
        .clone()
        .unwrap_or_default()
        .desired(listing);
    let differences = compare(&desired, item, words);
    let differs = !differences.is_empty();
    let reading = Reading {
        item: Some(item.clone()),
        differences,
        fetched,
    };
    note_unless_changed(context, claim, begun, listing, reading).await?;
    Ok(differs)
}

/// Returns whether an item's photos differ from its listing's.
pub fn has_other_photos(listing: &Listing, item: &OwnItem) -> bool {
    let desired = listing
        .remote_snapshot
        .clone()
        .unwrap_or_default()
        .desired(listing);
    let differences = compare(&desired, item, Words::NONE);
    differences.iter().any(|each| each.field == Field::Photos.name())
}

/// Returns the listings whose items a complete reading of the wardrobe should contain but does not. `listed` are the
/// item ids of the reading. Items that belong, or may belong, to another member are left out, because the wardrobe does
/// not show them.
pub async fn missing(context: &Context, begun: &Begun, listed: &[String]) -> Result<Vec<Listing>> {
    let reader = context.store.reader();
    let account = account_rows::Entity::find_by_id(&begun.account.id)
        .one(reader)
        .await?;
    let Some(member_id) = account.and_then(|account| whose(&account, begun)) else {
        return Ok(Vec::new());
    };
    let of_member: HashSet<String> = remote_items::Entity::find()
        .select_only()
        .column(remote_items::Column::RemoteItemId)
        .filter(remote_items::Column::AccountId.eq(begun.account.id.as_str()))
        .filter(remote_items::Column::MemberId.eq(member_id))
        .into_tuple()
        .all(reader)
        .await?
        .into_iter()
        .collect();
    let old_enough: Millis = context.store.now().await? - context.settings.effects.settle_ms;
    let rows = listing_rows::Entity::find()
        .filter(listing_rows::Column::AccountId.eq(begun.account.id.as_str()))
        .filter(listing_rows::Column::RemoteSite.eq(begun.account.site.as_str()))
        .filter(listing_rows::Column::RemoteItemId.is_not_null())
        .filter(listing_rows::Column::State.is_in([ListingState::Published, ListingState::Draft]))
        .filter(listing_rows::Column::ActivePublishJobId.is_null())
        .all(reader)
        .await?;
    let is_missing = |row: &listing_rows::Model| {
        let id = row.remote_item_id.as_ref();
        // An item that was just published and not read since may appear in the wardrobe late.
        let settled = row.remote_read_time.is_some() || row.publish_time.is_none_or(|time| time < old_enough);
        settled && id.is_some_and(|id| of_member.contains(id) && !listed.contains(id))
    };
    Ok(rows.into_iter().filter(is_missing).map(Listing::from).collect())
}

/// Records that a listing's item is no longer on the site.
pub async fn gone(context: &Context, claim: &Claim, begun: &Begun, listing: &Listing) -> Result<()> {
    note_unless_changed(context, claim, begun, listing, Reading::gone()).await
}

/// Returns the member whose wardrobe was read. `None`: the account's member changed during the reading.
fn whose(account: &account_rows::Model, begun: &Begun) -> Option<String> {
    let member_id = account.member_id.clone();
    member_id.filter(|id| begun.account.member_id.as_ref() == Some(id))
}

/// Records that the item belongs to the account's member, because the wardrobe lists it.
async fn note_member(tx: &Tx, begun: &Begun, item_id: &str) -> Result<()> {
    use sea_orm::sea_query::Expr;
    let account_id = begun.account.id.as_str();
    let account = account_rows::Entity::find_by_id(account_id).one(tx).await?;
    let Some(member_id) = account.and_then(|account| whose(&account, begun)) else {
        return Ok(());
    };
    remote_items::Entity::update_many()
        .col_expr(remote_items::Column::MemberId, Expr::value(member_id))
        .filter(remote_items::Column::AccountId.eq(account_id))
        .filter(remote_items::Column::RemoteItemId.eq(item_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Records a reading, unless the listing has changed or got a publish job since it was read. Then the reading may be
/// older than the listing, and the next import compares them.
async fn note_unless_changed(
    context: &Context,
    claim: &Claim,
    begun: &Begun,
    listing: &Listing,
    reading: Reading,
) -> Result<()> {
    let (claim, begun) = (claim.clone(), begun.clone());
    let (id, sequence) = (listing.id.clone(), listing.sequence);
    context
        .store
        .write(move |tx| {
            let (claim, begun) = (claim.clone(), begun.clone());
            let (id, reading) = (id.clone(), reading.clone());
            async move {
                claim.require_live(tx).await?;
                if let Some(item) = &reading.item {
                    note_member(tx, &begun, &item.id).await?;
                }
                match listings::find(tx, &id).await? {
                    Some(row) if row.sequence == sequence && row.active_publish_job_id.is_none() => {
                        note(tx, row, reading).await
                    }
                    _ => Ok(()),
                }
            }
            .boxed()
        })
        .await
}
