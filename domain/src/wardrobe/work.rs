//! What the worker does for an import: it begins, brings one item after another, says how far it is, and ends.
//!
//! Each step is a transaction that first makes sure of its claim, so that of two workers the one that lost it writes nothing.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter};
use vintedbot_marketplace::{Field, OwnItem, Seat};

use super::compare::{Words, compare};
use super::reading::{Reading, note};
use super::seen::{Pairing, Seen};
use super::{ImportState, WardrobeImport};
use crate::accounts::{self, Account, AccountState};
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::jobs::{Claim, Outcome};
use crate::listings::{self, Imported, Listing, ListingState};
use crate::publishing::{EffectKind, EffectState};
use crate::store::Tx;
use crate::store::entities::{
    accounts as account_rows, effects, listings as listing_rows, remote_items, wardrobe_imports,
};
use crate::{Domain, Error, Reason, Result};

/// How many problems are told; who has more has one in common.
const PROBLEMS_MAX: usize = 50;

/// An import that is under way.
#[derive(Clone, Debug)]
pub struct Begun {
    pub import_id: String,
    pub owner_id: String,
    pub account: Account,
    pub seat: Seat,
    pub counts: Counts,
}

/// How far an import is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub total: i64,
    pub done: i64,
    pub created: i64,
    pub differing: i64,
    pub failed: i64,
    pub problems: Vec<String>,
}

impl Counts {
    /// Notes what went wrong with an item.
    pub fn problem(&mut self, item_id: &str, what: &str) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(format!("{item_id}: {what}"));
        }
    }
}

/// Begins an import, or begins it anew after its worker died. `None`: there is nothing to do, and the claim was let go of.
pub async fn begin(domain: &Domain, claim: &Claim) -> Result<Option<Begun>> {
    let (domain_, claim) = (domain.clone(), claim.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, claim) = (domain_.clone(), claim.clone());
            async move {
                match decide(tx, &domain, &claim).await? {
                    Ok(begun) => Ok(Some(begun)),
                    Err(outcome) => {
                        claim.finish(tx, &outcome, &domain.settings.back_off()).await?;
                        Ok(None)
                    }
                }
            }
            .boxed()
        })
        .await
}

async fn decide(tx: &Tx, domain: &Domain, claim: &Claim) -> Result<std::result::Result<Begun, Outcome>> {
    let account = lock_account(tx, claim).await?;
    claim.require_live(tx).await?;
    let row = load(tx, claim.job.subject_id.as_deref().unwrap_or_default()).await?;
    let now = tx.now().await?;
    if matches!(row.state, ImportState::Done | ImportState::Failed) {
        return Ok(Err(Outcome::Done));
    }
    let account = match account.filter(|account| account.delete_time.is_none()) {
        Some(account) if account.state == AccountState::Active => account,
        Some(_) => {
            let message = "the account is paused";
            finish(tx, row, Err((Reason::AccountPaused, message.to_owned()))).await?;
            return Ok(Err(Outcome::Done));
        }
        None => {
            finish(
                tx,
                row,
                Err((Reason::NotFound, "the account was removed".to_owned())),
            )
            .await?;
            return Ok(Err(Outcome::Done));
        }
    };
    if claim.job.claims > domain.settings.max_claims {
        let message = "given up after attempts that ended with their worker".to_owned();
        finish(tx, row, Err((Reason::AttemptsExhausted, message.clone()))).await?;
        return Ok(Err(Outcome::Dead { error: message }));
    }
    if let Some(until) = account.quiet_until.filter(|until| *until > now) {
        return Ok(Err(Outcome::At(until)));
    }
    // What was made stays made; what was looked at is looked at again.
    let counts = Counts {
        created: row.created,
        ..Counts::default()
    };
    let row = wardrobe_imports::Model {
        state: ImportState::Running,
        ..row
    };
    let (import_id, owner_id) = (row.id.clone(), row.owner_id.clone());
    write(tx, row, &counts, Kind::WardrobeImportUpdated).await?;
    let account = Account::from(account);
    Ok(Ok(Begun {
        import_id,
        owner_id,
        seat: accounts::seat(&account),
        account,
        counts,
    }))
}

async fn lock_account(tx: &Tx, claim: &Claim) -> Result<Option<account_rows::Model>> {
    let id = claim.job.account_id.clone().unwrap_or_default();
    Ok(tx.locked(account_rows::Entity::find_by_id(id)).one(tx).await?)
}

async fn load(tx: &Tx, id: &str) -> Result<wardrobe_imports::Model> {
    let row = tx
        .locked(wardrobe_imports::Entity::find_by_id(id))
        .one(tx)
        .await?;
    row.ok_or_else(|| Error::not_found("wardrobe import", id))
}

/// Says how far an import is. An error where the claim is lost.
pub async fn progress(domain: &Domain, claim: &Claim, begun: &Begun) -> Result<()> {
    let (claim, begun) = (claim.clone(), begun.clone());
    domain
        .store
        .write(move |tx| {
            let (claim, begun) = (claim.clone(), begun.clone());
            async move {
                claim.require_live(tx).await?;
                let row = load(tx, &begun.import_id).await?;
                write(tx, row, &begun.counts, Kind::WardrobeImportUpdated).await
            }
            .boxed()
        })
        .await
}

/// Ends an import, and lets go of its claim.
pub async fn end(
    domain: &Domain,
    claim: &Claim,
    begun: &Begun,
    ended: std::result::Result<(), (Reason, String)>,
) -> Result<()> {
    let (claim, begun, back_off) = (claim.clone(), begun.clone(), domain.settings.back_off());
    domain
        .store
        .write(move |tx| {
            let (claim, begun, ended) = (claim.clone(), begun.clone(), ended.clone());
            async move {
                if claim.require_held(tx).await.is_err() {
                    return Ok(());
                }
                let mut row = load(tx, &begun.import_id).await?;
                count(&mut row, &begun.counts)?;
                finish(tx, row, ended).await?;
                claim.finish(tx, &Outcome::Done, &back_off).await
            }
            .boxed()
        })
        .await
}

async fn finish(
    tx: &Tx,
    mut row: wardrobe_imports::Model,
    ended: std::result::Result<(), (Reason, String)>,
) -> Result<()> {
    row.end_time = Some(tx.now().await?);
    match ended {
        Ok(()) => row.state = ImportState::Done,
        Err((reason, message)) => {
            row.state = ImportState::Failed;
            row.reason = Some(reason.name());
            row.message = Some(message);
        }
    }
    save(tx, row, Kind::WardrobeImportEnded).await
}

async fn write(tx: &Tx, mut row: wardrobe_imports::Model, counts: &Counts, kind: Kind) -> Result<()> {
    count(&mut row, counts)?;
    save(tx, row, kind).await
}

fn count(row: &mut wardrobe_imports::Model, counts: &Counts) -> Result<()> {
    row.total = counts.total;
    row.done = counts.done;
    row.created = counts.created;
    row.differing = counts.differing;
    row.failed = counts.failed;
    row.problems = serde_json::to_string(&counts.problems)?;
    Ok(())
}

async fn save(tx: &Tx, row: wardrobe_imports::Model, kind: Kind) -> Result<()> {
    row.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(kind, &WardrobeImport::from(row))?);
    Ok(())
}

/// What is here of an item on the site.
#[derive(Clone, Debug)]
pub enum Known {
    /// Nothing: it becomes a listing.
    New,
    /// A listing, as it is now, that says what the item says, or differs from it.
    Listing(Box<Listing>),
    /// A draft that a publish job has saved or left there: nothing to import.
    Ours,
}

/// What is here of an item.
pub async fn known(domain: &Domain, begun: &Begun, item_id: &str) -> Result<Known> {
    let key = (begun.account.id.clone(), item_id.to_owned());
    let reader = domain.store.reader();
    let Some(claimed) = remote_items::Entity::find_by_id(key).one(reader).await? else {
        return Ok(Known::New);
    };
    let row = listing_rows::Entity::find_by_id(&claimed.listing_id)
        .one(reader)
        .await?;
    Ok(match row {
        // It was deleted here, and is on the site all the same.
        None => Known::New,
        Some(row) if row.remote_item_id.as_deref() == Some(item_id) => {
            Known::Listing(Box::new(Listing::from(row)))
        }
        Some(_) => Known::Ours,
    })
}

/// How an item was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    Created,
    Known,
    /// A publication of the account is undecided, and the item may be what came of it.
    Undecided,
}

/// Makes a listing of an item that is not here yet, with our copies of its photos; `photo_ids` holds those that could be
/// fetched.
pub async fn place(
    domain: &Domain,
    claim: &Claim,
    begun: &Begun,
    item: &OwnItem,
    photo_ids: &[String],
) -> Result<Placed> {
    let index = domain
        .catalogs
        .get(&domain.store, &begun.account.site, begun.account.language)
        .await
        .ok();
    let (claim, begun, item, photo_ids) = (claim.clone(), begun.clone(), item.clone(), photo_ids.to_vec());
    domain
        .store
        .write(move |tx| {
            let (claim, begun, item) = (claim.clone(), begun.clone(), item.clone());
            let (photo_ids, index) = (photo_ids.clone(), index.clone());
            async move {
                let words = Words {
                    index: index.as_deref(),
                    language: begun.account.language,
                };
                make(tx, &claim, &begun, &item, photo_ids, words).await
            }
            .boxed()
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
    // The account's lock keeps publications of it from committing an intent meanwhile.
    let account = lock_account(tx, claim).await?;
    if account.is_none_or(|account| account.delete_time.is_some()) {
        return Err(Error::not_found("account", &begun.account.id));
    }
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
    listings::require_photos(tx, &begun.owner_id, &photo_ids).await?;
    let seen = Seen {
        item: Some(item.clone()),
        pairing: Some(Pairing {
            there: item.photos.iter().map(|photo| photo.id.clone()).collect(),
            here: photo_ids.clone(),
        }),
        fetched: None,
        closed: item.is_closed,
    };
    let imported = Imported {
        owner_id: &begun.owner_id,
        account_id: &begun.account.id,
        site: &begun.account.site,
        currency: &begun.account.site_market()?.currency,
        item,
        photo_ids: &photo_ids,
        seen: serde_json::to_string(&seen)?,
    };
    let listing_id = listings::insert_imported(tx, imported, words).await?;
    let row = remote_items::ActiveModel {
        account_id: Set(begun.account.id.clone()),
        remote_item_id: Set(item.id.clone()),
        site: Set(begun.account.site.clone()),
        publish_job_id: Set(begun.import_id.clone()),
        listing_id: Set(listing_id),
        claim_time: Set(tx.now().await?),
    };
    if claimed.is_some() {
        row.update(tx).await?;
    } else {
        remote_items::Entity::insert(row)
            .exec_without_returning(tx)
            .await?;
    }
    // Counted with it: an import that is killed goes on from this number.
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

/// Whether an item that nobody has claimed may be what came of a write whose outcome is open.
async fn may_be_ours(tx: &Tx, account_id: &str, item_id: &str) -> Result<bool> {
    let open = effects::Entity::find()
        .filter(effects::Column::AccountId.eq(account_id))
        .filter(effects::Column::Kind.is_not_in(EffectKind::CHANGES))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    for effect in open.all(tx).await? {
        let known: Vec<String> = serde_json::from_str(&effect.known_remote_ids)?;
        if !known.iter().any(|id| id == item_id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Compares an item with its listing, as that was before the item was read, and keeps what differs. `fetched` are our copies
/// of its photos, where these are others. Says whether anything differs.
pub async fn compare_known(
    domain: &Domain,
    claim: &Claim,
    listing: &Listing,
    item: &OwnItem,
    fetched: Option<Vec<String>>,
    words: Words<'_>,
) -> Result<bool> {
    let said = listing.seen.clone().unwrap_or_default().said(listing);
    let differences = compare(&said, item, words);
    let differs = !differences.is_empty();
    let reading = Reading {
        item: Some(item.clone()),
        differences,
        fetched,
    };
    note_unless_changed(domain, claim, listing, reading).await?;
    Ok(differs)
}

/// Whether an item's photos are others than its listing's.
pub fn has_other_photos(listing: &Listing, item: &OwnItem) -> bool {
    let said = listing.seen.clone().unwrap_or_default().said(listing);
    let differences = compare(&said, item, Words::NONE);
    differences.iter().any(|each| each.field == Field::Photos.name())
}

/// Listings whose items a complete reading of the wardrobe should have listed, and those ids that it did.
pub async fn missing(domain: &Domain, begun: &Begun, listed: &[String]) -> Result<Vec<Listing>> {
    let old_enough: Millis = domain.store.now().await? - domain.settings.settle_ms;
    let rows = listing_rows::Entity::find()
        .filter(listing_rows::Column::AccountId.eq(begun.account.id.as_str()))
        .filter(listing_rows::Column::RemoteSite.eq(begun.account.site.as_str()))
        .filter(listing_rows::Column::RemoteItemId.is_not_null())
        .filter(listing_rows::Column::State.is_in([ListingState::Published, ListingState::Draft]))
        .filter(listing_rows::Column::ActivePublishJobId.is_null())
        .all(domain.store.reader())
        .await?;
    let is_missing = |row: &listing_rows::Model| {
        let id = row.remote_item_id.as_ref();
        // What was published a moment ago, and never read since, may be listed late.
        let settled = row.remote_read_time.is_some() || row.publish_time.is_none_or(|time| time < old_enough);
        settled && id.is_some_and(|id| !listed.contains(id))
    };
    Ok(rows.into_iter().filter(is_missing).map(Listing::from).collect())
}

/// Keeps with a listing that its item is not on the site any more.
pub async fn gone(domain: &Domain, claim: &Claim, listing: &Listing) -> Result<()> {
    note_unless_changed(domain, claim, listing, Reading::gone()).await
}

/// A listing that was changed, or got a publish job, since it was read is left for the next import: what was read of the site
/// may be older than what is said here.
async fn note_unless_changed(
    domain: &Domain,
    claim: &Claim,
    listing: &Listing,
    reading: Reading,
) -> Result<()> {
    let (claim, id, sequence) = (claim.clone(), listing.id.clone(), listing.sequence);
    domain
        .store
        .write(move |tx| {
            let (claim, id, reading) = (claim.clone(), id.clone(), reading.clone());
            async move {
                claim.require_live(tx).await?;
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
