//! `PrepareChange`: freezes a change of an item that is on the site, and queues a job that prepares it.
//!
//! A change passes through the same steps as a publication: it is prepared, reviewed, confirmed and permitted by an
//! intent, and reconciled if its outcome is in doubt. Until the change is done, the stored listing keeps the content
//! that the site is known to have.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use vintedbot_marketplace::ChangeKind;

use super::claims;
use super::job::save;
use super::prepare::{Frozen, new_row, submit};
use super::revision::{Change, listing_hash};
use super::{JobKind, PublishJob, Revision, State};
use crate::accounts::{self, AccountState};
use crate::events::Kind;
use crate::identity::Caller;
use crate::listings::{self, Listing, ListingInput, ListingState};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, publish_jobs};
use crate::{Context, Error, Reason, Result, Violation, jobs, requests};

/// The requested change of an item.
#[derive(Clone, Debug, Serialize)]
pub enum Wanted {
    Edit {
        listing: Box<ListingInput>,
        /// Names of the fields to change. Empty: every field that is present.
        mask: Vec<String>,
        /// Whether changes made on the site since the last reading are overwritten.
        overwrite_remote: bool,
    },
    Hide,
    Unhide,
    Delete,
}

impl Wanted {
    /// Returns the change with its texts in the common form.
    fn normalized(self) -> Self {
        match self {
            Self::Edit {
                listing,
                mask,
                overwrite_remote,
            } => Self::Edit {
                listing: Box::new(listing.normalized()),
                mask,
                overwrite_remote,
            },
            other => other,
        }
    }

    fn kind(&self) -> JobKind {
        match self {
            Self::Edit { .. } => JobKind::Edit,
            Self::Hide => JobKind::Hide,
            Self::Unhide => JobKind::Unhide,
            Self::Delete => JobKind::Delete,
        }
    }
}

/// The parameters of [`prepare_change`].
#[derive(Clone, Debug, Serialize)]
pub struct PrepareChange {
    pub listing_id: String,
    pub change: Wanted,
    #[serde(skip)]
    pub request_id: Option<String>,
}

const METHOD: &str = "PrepareChange";

/// Validates a change, freezes it as a revision, and creates a publish job. If the listing has a job of the same kind
/// in state AWAITING_CONFIRMATION, that job is prepared again instead.
///
/// # Errors
/// - All violations at once; a change without an effect is a violation too.
/// - NOT_PUBLISHED, PUBLISH_JOB_OPEN, ACCOUNT_PAUSED, SESSION_REQUIRED, SESSION_INVALID.
/// - RESOURCE_CHANGED if the listing was changed during the call.
/// - SESSION_MEMBER_MISMATCH if the item belongs to a previous member of the account.
pub async fn prepare_change(
    context: &Context,
    caller: &Caller,
    prepare: PrepareChange,
) -> Result<PublishJob> {
    let prepare = PrepareChange {
        change: prepare.change.normalized(),
        ..prepare
    };
    let (reader, request_id) = (context.store.reader(), prepare.request_id.as_deref());
    if let Some(id) = requests::find(reader, &caller.workspace_id, request_id, METHOD, &prepare).await? {
        return super::get(context, caller, &id).await;
    }
    let listing = listings::get(context, caller, &prepare.listing_id).await?;
    let account = accounts::get(context, caller, &listing.account_id).await?;
    accounts::require_session(&account, context.store.now().await?)?;
    let (change, content) = frozen(context, &account, &listing, &prepare.change).await?;
    let photo_ids = (!change.keeps_photos).then(|| change.photo_ids.clone());
    let revision = Revision {
        version: 1,
        workspace_id: caller.workspace_id.clone(),
        account_id: account.id.clone(),
        site: account.site.clone(),
        listing_id: listing.id.clone(),
        content,
        change: Some(change),
    };
    let (text, hash) = revision.encode()?;
    let (workspace_id, sequence) = (caller.workspace_id.clone(), listing.sequence);
    let id = context
        .store
        .write(move |tx| {
            let (prepare, text, hash) = (prepare.clone(), text.clone(), hash.clone());
            let (workspace_id, photo_ids) = (workspace_id.clone(), photo_ids.clone());
            async move {
                let request_id = prepare.request_id.as_deref();
                if let Some(id) = requests::check(tx, &workspace_id, request_id, METHOD, &prepare).await? {
                    return Ok(id);
                }
                if let Some(photo_ids) = photo_ids {
                    listings::require_photos(tx, &workspace_id, &photo_ids)
                        .await
                        .map_err(in_edit)?;
                }
                let frozen = Frozen {
                    workspace_id: &workspace_id,
                    text,
                    hash,
                    sequence,
                    manual_takeover: false,
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

/// Builds the change and its content for the revision.
async fn frozen(
    context: &Context,
    account: &accounts::Account,
    listing: &Listing,
    wanted: &Wanted,
) -> Result<(Change, vintedbot_marketplace::ItemContent)> {
    let remote = listing
        .remote
        .as_ref()
        .filter(|remote| listing.state == ListingState::Published && remote.site == account.site)
        .ok_or_else(|| not_published(&listing.id))?;
    let (kind, overwrites) = match wanted {
        Wanted::Edit { overwrite_remote, .. } => (ChangeKind::Edit, *overwrite_remote),
        Wanted::Hide => (ChangeKind::Hide, false),
        Wanted::Unhide => (ChangeKind::Unhide, false),
        Wanted::Delete => (ChangeKind::Delete, false),
    };
    let edited = match wanted {
        Wanted::Edit {
            listing: input, mask, ..
        } => listings::edited(context, account, listing, input, mask)
            .await
            .map_err(in_edit)?,
        _ => listings::as_it_is(context, account, listing).await?,
    };
    // Overwriting a change made on the site changes the item, although the listing stays the same.
    let puts_back = overwrites && !remote.differences.is_empty();
    let is_change = match wanted {
        Wanted::Edit { .. } => edited.is_change || puts_back,
        Wanted::Hide => !remote.hidden,
        Wanted::Unhide => remote.hidden,
        Wanted::Delete => true,
    };
    if !is_change {
        let field = match wanted {
            Wanted::Edit { .. } => "edit.listing",
            _ => "change",
        };
        return Err(Error::invalid(field, "the item already has this state"));
    }
    let other_photos = remote.differences.iter().any(|each| each.field == "photos");
    let keeps_photos = edited.keeps_photos && !(overwrites && other_photos);
    let change = Change {
        kind,
        remote_id: remote.item_id.clone(),
        keeps_photos,
        overwrite_remote: overwrites,
        before: listing
            .remote_snapshot
            .clone()
            .unwrap_or_default()
            .desired(listing),
        after: edited.desired,
        photo_ids: edited.photo_ids,
    };
    Ok((change, edited.content))
}

async fn insert(tx: &Tx, prepare: &PrepareChange, frozen: Frozen<'_>) -> Result<String> {
    // The account is locked before the listing; see the lock order of this module.
    let unlocked = listings::get_row(tx, frozen.workspace_id, &prepare.listing_id).await?;
    let account = tx
        .locked(account_rows::Entity::find_by_id(&unlocked.account_id))
        .one(tx)
        .await?;
    let account = account.ok_or_else(|| Error::not_found("account", &unlocked.account_id))?;
    let open = publish_jobs::Entity::find()
        .filter(publish_jobs::Column::ListingId.eq(unlocked.id.as_str()))
        .filter(publish_jobs::Column::State.is_not_in(State::ENDED));
    let open = tx.locked(open).one(tx).await?;
    let listing = listings::load(tx, frozen.workspace_id, &prepare.listing_id).await?;
    if listing.sequence != frozen.sequence {
        return Err(Error::rejected(
            Reason::ResourceChanged,
            "the listing was changed during the call; call again",
        ));
    }
    if account.state == AccountState::Paused {
        return Err(Error::rejected(
            Reason::AccountPaused,
            "the account is paused; check why, then call ResumeAccount",
        )
        .with("account_id", &account.id)
        .with("pause_reason", account.pause_reason.clone().unwrap_or_default()));
    }
    let kind = prepare.change.kind();
    let item_id = listing.remote_item_id.clone();
    claims::require_own(tx, &account, item_id.as_deref()).await?;
    match open {
        Some(open) if open.kind == kind && open.state == State::AwaitingConfirmation => {
            let row = publish_jobs::Model {
                state: State::Queued,
                prepare_number: open.prepare_number + 1,
                revision: frozen.text,
                revision_hash: frozen.hash,
                listing_hash: listing_hash(&listing)?,
                read_back: None,
                read_back_hash: None,
                confirm_expire_time: None,
                changes: "[]".to_owned(),
                ..open
            };
            let work = super::work_of(tx, &row.id).await?;
            jobs::requeue(tx, &work, tx.now().await?).await?;
            Ok(save(tx, row, Kind::PublishJobUpdated).await?.id)
        }
        Some(open) => Err(Error::rejected(
            Reason::PublishJobOpen,
            "the listing already has an open publish job",
        )
        .with("publish_job_id", open.id)),
        None => {
            let now = tx.now().await?;
            let mut row = new_row(tx, frozen, true, &listing, account.site, now)?;
            row.kind = kind;
            row.remote_item_id = item_id;
            row.remote_url.clone_from(&listing.remote_url);
            row.hidden = listing.hidden;
            submit(tx, row, now).await
        }
    }
}

/// Prefixes the fields of violations with the path of the edit in the request.
fn in_edit(error: Error) -> Error {
    let moved = |violation: Violation| Violation {
        field: format!("edit.{}", violation.field),
        ..violation
    };
    match error {
        Error::Invalid(violations) => Error::Invalid(violations.into_iter().map(moved).collect()),
        other => other,
    }
}

pub(super) fn not_published(listing_id: &str) -> Error {
    Error::rejected(
        Reason::NotPublished,
        "the listing has no published item on the site",
    )
    .with("listing_id", listing_id)
}
