//! `PreparePublish`: freezes a listing and queues a job that fills the form with it.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde::Serialize;

use super::job::save;
use super::{JobKind, PublishJob, Revision, State, revision};
use crate::accounts::{self, AccountState};
use crate::events::Kind;
use crate::identity::Caller;
use crate::jobs::{self, NewJob};
use crate::listings::{self, ListingState};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, listings as listing_rows, publish_jobs};
use crate::{Domain, Error, Reason, Result, requests};

/// What to prepare.
#[derive(Clone, Debug, Serialize)]
pub struct Prepare {
    pub listing_id: String,
    /// Whether nothing is left on the site, not even a draft.
    pub dry_run: bool,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "PreparePublish";

/// Validates against everything that is known of the site, all violations at once, freezes what was validated, and makes
/// a job.
pub async fn prepare(domain: &Domain, caller: &Caller, prepare: Prepare) -> Result<PublishJob> {
    let made = {
        let (owner_id, prepare) = (caller.owner_id.clone(), prepare.clone());
        domain
            .store
            .write(move |tx| {
                let (owner_id, prepare) = (owner_id.clone(), prepare.clone());
                async move {
                    requests::check(tx, &owner_id, prepare.request_id.as_deref(), METHOD, &prepare).await
                }
                .boxed()
            })
            .await?
    };
    if let Some(id) = made {
        return super::get(domain, caller, &id).await;
    }
    let listing = listings::get(domain, caller, &prepare.listing_id).await?;
    let account = accounts::get(domain, caller, &listing.account_id).await?;
    accounts::require_session(&account, domain.store.now().await?)?;
    if listing.state == ListingState::Published {
        return Err(already_published(&listing.id));
    }
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

struct Frozen<'a> {
    owner_id: &'a str,
    text: String,
    hash: String,
    /// The listing's sequence when it was frozen.
    sequence: i64,
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
    if listing.state == ListingState::Published {
        return Err(already_published(&listing.id));
    }
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
    let row = publish_jobs::Model {
        id: tx.id(),
        owner_id: frozen.owner_id.to_owned(),
        account_id: listing.account_id.clone(),
        listing_id: listing.id.clone(),
        site: account.site,
        state: State::Queued,
        dry_run: prepare.dry_run,
        prepare_number: 1,
        revision: frozen.text,
        revision_hash: frozen.hash,
        listing_hash: revision::listing_hash(&listing)?,
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
        hand_over: false,
        changes: "[]".to_owned(),
    };
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
        prepare_number: open.prepare_number + 1,
        revision: frozen.text,
        revision_hash: frozen.hash,
        listing_hash: revision::listing_hash(listing)?,
        read_back: None,
        read_back_hash: None,
        confirm_expire_time: None,
        // A draft of what was frozen before does not hold what is frozen now.
        draft_remote_id: None,
        ..open
    };
    let work = super::work_of(tx, &row.id).await?;
    jobs::requeue(tx, &work, tx.now().await?).await?;
    Ok(save(tx, row, Kind::PublishJobUpdated).await?.id)
}

pub(super) fn already_published(listing_id: &str) -> Error {
    Error::rejected(
        Reason::AlreadyPublished,
        "the listing is on the site already; a second one is a second listing",
    )
    .with("listing_id", listing_id)
}
