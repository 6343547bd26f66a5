//! `PreparePublish`: freezes a listing as a revision and queues a job that fills the form with it.

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
use crate::store::entities::{accounts as account_rows, listings as listing_rows, publish_jobs};
use crate::store::{OfWorkspace, Tx};
use crate::wardrobe::{RemoteSnapshot, Words, compare};
use crate::{Context, Error, Reason, Result, requests};

/// The parameters of [`prepare`].
#[derive(Clone, Debug, Serialize)]
pub struct Prepare {
    pub listing_id: String,
    /// Whether the preparation leaves nothing on the site, not even a draft.
    pub dry_run: bool,
    /// Whether the filled window stays open for the person (manual takeover). Absent: true in mode MANUAL with a
    /// visible browser window.
    // The serialized name is part of stored parameter hashes.
    #[serde(rename = "hand_over")]
    pub manual_takeover: Option<bool>,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "PreparePublish";

/// Validates a listing against the site's limits and catalogue, freezes it as a revision, and creates a publish job. If
/// the listing has a job in state AWAITING_CONFIRMATION, that job is prepared again instead.
///
/// # Errors
/// - LISTING_INCOMPLETE with all violations.
/// - CATALOG_NOT_READY, SESSION_REQUIRED, SESSION_INVALID, ACCOUNT_PAUSED, ALREADY_PUBLISHED, NOT_PUBLISHED,
///   PUBLISH_JOB_OPEN.
/// - MODE_NOT_ALLOWED for a manual takeover without a visible browser window.
/// - RESOURCE_CHANGED if the listing was changed during the call.
pub async fn prepare(context: &Context, caller: &Caller, prepare: Prepare) -> Result<PublishJob> {
    let (reader, request_id) = (context.store.reader(), prepare.request_id.as_deref());
    if let Some(id) = requests::find(reader, &caller.workspace_id, request_id, METHOD, &prepare).await? {
        return super::get(context, caller, &id).await;
    }
    let listing = listings::get(context, caller, &prepare.listing_id).await?;
    let account = accounts::get(context, caller, &listing.account_id).await?;
    accounts::require_session(&account, context.store.now().await?)?;
    refuse_state(listing.state, &listing.id)?;
    let is_takeover = is_takeover(context, account.mode, prepare.manual_takeover)?;
    let content = listings::content_of(context, &listing, &account)
        .await
        .map_err(|error| match error {
            Error::Invalid(violations) => Error::Incomplete(violations),
            other => other,
        })?;
    let revision = Revision {
        version: 1,
        workspace_id: caller.workspace_id.clone(),
        account_id: account.id.clone(),
        site: account.site.clone(),
        listing_id: listing.id.clone(),
        content,
        change: None,
    };
    let (text, hash) = revision.encode()?;
    let workspace_id = caller.workspace_id.clone();
    let frozen_sequence = listing.sequence;
    let id = context
        .store
        .write(move |tx| {
            let (prepare, text, hash, workspace_id) =
                (prepare.clone(), text.clone(), hash.clone(), workspace_id.clone());
            async move {
                let request_id = prepare.request_id.as_deref();
                if let Some(id) = requests::check(tx, &workspace_id, request_id, METHOD, &prepare).await? {
                    return Ok(id);
                }
                let frozen = Frozen {
                    workspace_id: &workspace_id,
                    text,
                    hash,
                    sequence: frozen_sequence,
                    manual_takeover: is_takeover,
                };
                let id = insert(tx, &prepare, frozen).await?;
                requests::remember(tx, &workspace_id, request_id, METHOD, &prepare, &id).await?;
                Ok(id)
            }
            .boxed()
        })
        .await?;
    super::get(context, caller, &id).await
}

pub(super) struct Frozen<'a> {
    pub workspace_id: &'a str,
    pub text: String,
    pub hash: String,
    /// The sequence of the listing when it was frozen.
    pub sequence: i64,
    pub manual_takeover: bool,
}

/// Returns whether the job is a manual takeover.
fn is_takeover(context: &Context, mode: Mode, wanted: Option<bool>) -> Result<bool> {
    match wanted {
        Some(true) if !context.settings.browser_window => Err(Error::rejected(
            Reason::ModeNotAllowed,
            "a manual takeover requires a visible browser window; install a browser and set BROWSER_HEADLESS=false",
        )),
        Some(wanted) => Ok(wanted),
        None => Ok(mode == Mode::Manual && context.settings.browser_window),
    }
}

async fn insert(tx: &Tx, prepare: &Prepare, frozen: Frozen<'_>) -> Result<String> {
    let listing = listing_rows::Entity::find_by_id(&prepare.listing_id).of_workspace(frozen.workspace_id);
    let listing = tx.locked(listing).one(tx).await?;
    let listing = listing.ok_or_else(|| Error::not_found("listing", &prepare.listing_id))?;
    if listing.sequence != frozen.sequence {
        return Err(Error::rejected(
            Reason::ResourceChanged,
            "the listing was changed during the call; call again",
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
            "the account is paused; check why, then call ResumeAccount",
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
            return prepare_again(tx, open, prepare, frozen, &listing).await;
        }
        return Err(Error::rejected(
            Reason::PublishJobOpen,
            "the listing already has an open publish job",
        )
        .with("publish_job_id", open.id));
    }
    let now = tx.now().await?;
    let mut row = new_row(tx, frozen, prepare.dry_run, &listing, account.site, now)?;
    row.draft_remote_id = draft_of(&listing);
    submit(tx, row, now).await
}

/// Returns the site's draft from which the listing was imported, if the listing still equals it. Such a listing is
/// published from that draft. A listing that was edited since is saved as a new draft, and the imported draft stays
/// unchanged.
fn draft_of(listing: &listing_rows::Model) -> Option<String> {
    let snapshot = RemoteSnapshot::of(listing);
    let item = snapshot.item.as_ref().filter(|item| item.is_draft)?;
    let desired = snapshot.desired(&listings::Listing::from(listing.clone()));
    let same = listing.remote_item_id.as_ref() == Some(&item.id)
        && compare::compare(&desired, item, Words::NONE).is_empty();
    same.then(|| item.id.clone())
}

/// Returns the row of a new publish job.
pub(super) fn new_row(
    tx: &Tx,
    frozen: Frozen<'_>,
    dry_run: bool,
    listing: &listing_rows::Model,
    site: String,
    now: Millis,
) -> Result<publish_jobs::Model> {
    Ok(publish_jobs::Model {
        id: tx.id(),
        workspace_id: frozen.workspace_id.to_owned(),
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
        requires_action: false,
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
        manual_takeover: frozen.manual_takeover,
        changes: "[]".to_owned(),
    })
}

/// Inserts a new publish job with its work row.
pub(super) async fn submit(tx: &Tx, row: publish_jobs::Model, now: Millis) -> Result<String> {
    publish_jobs::Entity::insert(row.clone().into_active_model())
        .exec_without_returning(tx)
        .await?;
    let work = NewJob {
        kind: jobs::Kind::Publish,
        workspace_id: Some(row.workspace_id.clone()),
        account_id: Some(row.account_id.clone()),
        subject_id: row.id.clone(),
        due_time: now,
        unique_key: Some(super::work_key(&row.id)),
    };
    jobs::enqueue(tx, work).await?;
    listings::set_active_job(tx, &row.listing_id, Some(&row.id)).await?;
    Ok(save(tx, row, Kind::PublishJobCreated).await?.id)
}

/// Prepares a job in state AWAITING_CONFIRMATION again with the current listing. This invalidates its confirm token.
async fn prepare_again(
    tx: &Tx,
    open: publish_jobs::Model,
    prepare: &Prepare,
    frozen: Frozen<'_>,
    listing: &listing_rows::Model,
) -> Result<String> {
    let row = publish_jobs::Model {
        state: State::Queued,
        dry_run: prepare.dry_run,
        manual_takeover: frozen.manual_takeover,
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
        // A draft of the previous revision does not contain the new one.
        draft_remote_id: draft_of(listing),
        ..open
    };
    let work = super::work_of(tx, &row.id).await?;
    jobs::requeue(tx, &work, tx.now().await?).await?;
    Ok(save(tx, row, Kind::PublishJobUpdated).await?.id)
}

/// Refuses a listing that is or was on the site. A second item requires a second listing.
fn refuse_state(state: ListingState, listing_id: &str) -> Result<()> {
    match state {
        ListingState::Published => Err(already_published(listing_id)),
        ListingState::Deleted => Err(Error::rejected(
            Reason::NotPublished,
            "the item of this listing was deleted on the site; create a new listing for another item",
        )
        .with("listing_id", listing_id)),
        ListingState::Draft | ListingState::Publishing => Ok(()),
    }
}

pub(super) fn already_published(listing_id: &str) -> Error {
    Error::rejected(
        Reason::AlreadyPublished,
        "the listing is already on the site; create a new listing for another item",
    )
    .with("listing_id", listing_id)
}
