//! `PreparePublish`: freezes a listing and queues a job that fills the form with it.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde::Serialize;

use super::job::save;
use super::{JobKind, PublishJob, Revision, State, revision};
use crate::accounts::{self, AccountState, Mode};
use crate::clock::Millis;
use crate::events::Kind;
use crate::identity::Caller;
use crate::jobs::{self, NewJob};
use crate::listings::{self, ListingState};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, listings as listing_rows, publish_jobs};
use crate::wardrobe::{Seen, Words, compare};
use crate::{Domain, Error, Reason, Result, requests};

/// What to prepare.
#[derive(Clone, Debug, Serialize)]
pub struct Prepare {
    pub listing_id: String,
    /// Whether nothing is left on the site, not even a draft.
    pub dry_run: bool,
    /// Whether the filled window is left to the person. Not said: where they confirm every write, and there is a window.
    pub hand_over: Option<bool>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "PreparePublish";

/// Validates against everything that is known of the site, all violations at once, freezes what was validated, and makes
/// a job.
pub async fn prepare(domain: &Domain, caller: &Caller, prepare: Prepare) -> Result<PublishJob> {
    let (reader, request_id) = (domain.store.reader(), prepare.request_id.as_deref());
    if let Some(id) = requests::find(reader, &caller.owner_id, request_id, METHOD, &prepare).await? {
        return super::get(domain, caller, &id).await;
    }
    let listing = listings::get(domain, caller, &prepare.listing_id).await?;
    let account = accounts::get(domain, caller, &listing.account_id).await?;
    accounts::require_session(&account, domain.store.now().await?)?;
    refuse_state(listing.state, &listing.id)?;
    let hands_over = hands_over(domain, account.mode, prepare.hand_over)?;
    let content = listings::content_of(domain, &listing, &account)
        .await
        .map_err(|error| match error {
            Error::Invalid(violations) => Error::Incomplete(violations),
            other => other,
        })?;
    let revision = Revision {
        version: 1,
        owner_id: caller.owner_id.clone(),
        account_id: account.id.clone(),
        site: account.site.clone(),
        listing_id: listing.id.clone(),
        content,
        change: None,
    };
    let (text, hash) = revision.freeze()?;
    let owner_id = caller.owner_id.clone();
    let frozen_sequence = listing.sequence;
    let id = domain
        .store
        .write(move |tx| {
            let (prepare, text, hash, owner_id) =
                (prepare.clone(), text.clone(), hash.clone(), owner_id.clone());
            async move {
                let request_id = prepare.request_id.as_deref();
                if let Some(id) = requests::check(tx, &owner_id, request_id, METHOD, &prepare).await? {
                    return Ok(id);
                }
                let frozen = Frozen {
                    owner_id: &owner_id,
                    text,
                    hash,
                    sequence: frozen_sequence,
                    hand_over: hands_over,
                };
                let id = insert(tx, &prepare, frozen).await?;
                requests::remember(tx, &owner_id, request_id, METHOD, &prepare, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await?;
    super::get(domain, caller, &id).await
}

pub(super) struct Frozen<'a> {
    pub owner_id: &'a str,
    pub text: String,
    pub hash: String,
    /// The listing's sequence when it was frozen.
    pub sequence: i64,
    pub hand_over: bool,
}

/// Whether a job hands its window over.
fn hands_over(domain: &Domain, mode: Mode, wanted: Option<bool>) -> Result<bool> {
    match wanted {
        Some(true) if !domain.settings.browser_window => Err(Error::rejected(
            Reason::ModeNotAllowed,
            "there is no window to hand over: that takes a browser, and BROWSER_HEADLESS=false",
        )),
        Some(wanted) => Ok(wanted),
        None => Ok(mode == Mode::Manual && domain.settings.browser_window),
    }
}

async fn insert(tx: &Tx, prepare: &Prepare, frozen: Frozen<'_>) -> Result<String> {
    let listing = tx
        .locked(listing_rows::Entity::find_by_id(&prepare.listing_id))
        .one(tx)
        .await?;
    let listing = listing.ok_or_else(|| Error::not_found("listing", &prepare.listing_id))?;
    if listing.sequence != frozen.sequence {
        return Err(Error::rejected(
            Reason::ResourceChanged,
            "the listing was changed at the same moment; call again",
        ));
    }
    refuse_state(listing.state, &listing.id)?;
    let account = account_rows::Entity::find_by_id(&listing.account_id)
        .one(tx)
        .await?;
    let account = account.ok_or_else(|| Error::not_found("account", &listing.account_id))?;
    if account.state == AccountState::Paused {
        return Err(Error::rejected(
            Reason::AccountPaused,
            "the account is paused; look at why, then call ResumeAccount",
        )
        .with("account_id", &account.id)
        .with("pause_reason", account.pause_reason.clone().unwrap_or_default()));
    }
    let open = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::ListingId.eq(listing.id.as_str()))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED))
        .one(tx)
        .await?;
    if let Some(open) = open {
        if open.state == State::AwaitingConfirmation {
            return prepare_anew(tx, open, prepare, frozen, &listing).await;
        }
        return Err(Error::rejected(
            Reason::PublishJobOpen,
            "the listing has a publish job that has not ended",
        )
        .with("publish_job_id", open.id));
    }
    let now = tx.now().await?;
    let mut row = fresh(tx, frozen, prepare.dry_run, &listing, account.site, now)?;
    row.draft_remote_id = draft_of(&listing);
    submit(tx, row, now).await
}

/// The site's own draft that the listing was imported from, while the listing says the same: to publish it is to publish that
/// draft, not a second one. A listing that was edited here since is saved as a draft anew, and the other stays as it is.
fn draft_of(listing: &listing_rows::Model) -> Option<String> {
    let seen = Seen::of(listing);
    let item = seen.item.as_ref().filter(|item| item.is_draft)?;
    let said = seen.said(&listings::Listing::from(listing.clone()));
    let same = listing.remote_item_id.as_ref() == Some(&item.id)
        && compare::compare(&said, item, Words::NONE).is_empty();
    same.then(|| item.id.clone())
}

/// The row of a new job.
pub(super) fn fresh(
    tx: &Tx,
    frozen: Frozen<'_>,
    dry_run: bool,
    listing: &listing_rows::Model,
    site: String,
    now: Millis,
) -> Result<publish_jobs::Model> {
    Ok(publish_jobs::Model {
        id: tx.id(),
        owner_id: frozen.owner_id.to_owned(),
        account_id: listing.account_id.clone(),
        listing_id: listing.id.clone(),
        site,
        state: State::Queued,
        dry_run,
        prepare_number: 1,
        revision: frozen.text,
        revision_hash: frozen.hash,
        listing_hash: revision::listing_hash(listing)?,
        read_back: None,
        read_back_hash: None,
        screenshot_key: None,
        needs_manual: false,
        reason: None,
        message: None,
        wait_reason: None,
        wait_until: None,
        confirm_expire_time: None,
        confirm_time: None,
        cancel_requested: false,
        draft_remote_id: None,
        remote_item_id: None,
        remote_url: None,
        hidden: false,
        possible_duplicate: false,
        stray_drafts: "[]".to_owned(),
        prepare_attempts: 0,
        publish_attempts: 0,
        create_time: now,
        update_time: now,
        end_time: None,
        sequence: 0,
        kind: JobKind::Publish,
        schedule_time: None,
        hand_over: frozen.hand_over,
        changes: "[]".to_owned(),
    })
}

/// Writes a new job with its row of work.
pub(super) async fn submit(tx: &Tx, row: publish_jobs::Model, now: Millis) -> Result<String> {
    publish_jobs::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    let work = NewJob {
        kind: jobs::Kind::Publish,
        owner_id: Some(row.owner_id.clone()),
        account_id: Some(row.account_id.clone()),
        subject_id: row.id.clone(),
        due_time: now,
        unique_key: Some(super::work_key(&row.id)),
    };
    jobs::enqueue(tx, work).await?;
    listings::set_active_job(tx, &row.listing_id, Some(&row.id)).await?;
    Ok(save(tx, row, Kind::PublishJobCreated).await?.id)
}

/// A job that waits for its confirmation is prepared anew with the listing as it is now; its old token is void.
async fn prepare_anew(
    tx: &Tx,
    open: publish_jobs::Model,
    prepare: &Prepare,
    frozen: Frozen<'_>,
    listing: &listing_rows::Model,
) -> Result<String> {
    let row = publish_jobs::Model {
        state: State::Queued,
        dry_run: prepare.dry_run,
        hand_over: frozen.hand_over,
        prepare_number: open.prepare_number + 1,
        revision: frozen.text,
        revision_hash: frozen.hash,
        listing_hash: revision::listing_hash(listing)?,
        read_back: None,
        read_back_hash: None,
        confirm_expire_time: None,
        schedule_time: None,
        reason: None,
        message: None,
        // A draft of what was frozen before does not hold what is frozen now.
        draft_remote_id: draft_of(listing),
        ..open
    };
    let work = super::work_of(tx, &row.id).await?;
    jobs::requeue(tx, &work, tx.now().await?).await?;
    Ok(save(tx, row, Kind::PublishJobUpdated).await?.id)
}

/// Refuses a listing that is on the site, and one that was there: selling it again takes a listing of its own.
fn refuse_state(state: ListingState, listing_id: &str) -> Result<()> {
    match state {
        ListingState::Published => Err(already_published(listing_id)),
        ListingState::Deleted => Err(Error::rejected(
            Reason::NotPublished,
            "the listing was on the site and was deleted there; a second item is a second listing",
        )
        .with("listing_id", listing_id)),
        ListingState::Draft | ListingState::Publishing => Ok(()),
    }
}

pub(super) fn already_published(listing_id: &str) -> Error {
    Error::rejected(
        Reason::AlreadyPublished,
        "the listing is on the site already; a second one is a second listing",
    )
    .with("listing_id", listing_id)
}
