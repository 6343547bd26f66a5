//! Committing an intent: the only permission for a write of a publish job. An intent permits one click until it
//! expires.

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use vintedbot_marketplace::OwnItem;

use super::confirm::set_listing_state;
use super::job::{load, save};
use super::{EffectKind, EffectState, Revision, State, budget, open_effect};
use crate::accounts::{AccountLock, AccountState};
use crate::clock::{Clock, Millis};
use crate::events::Kind;
use crate::jobs::Claim;
use crate::listings::ListingState;
use crate::store::Tx;
use crate::store::entities::{accounts, effects, listings, publish_jobs};
use crate::{Context, Result};

/// A proposed effect with the evidence that it relies on.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub job_id: String,
    pub kind: EffectKind,
    pub form_session_id: String,
    /// The hash of the revision that the form was filled with.
    pub revision_hash: String,
    pub lock: AccountLock,
    /// All item ids of a complete wardrobe reading made right before.
    pub known_remote_ids: Vec<String>,
    /// The draft to publish, or the item to change.
    pub target_remote_id: Option<String>,
    /// The photo ids of the draft or item.
    pub target_photo_ids: Vec<String>,
    /// The item to change, as it was read right before.
    pub remote_snapshot: Option<OwnItem>,
}

/// A committed intent: the permission for one click until it expires.
#[derive(Clone, Debug)]
pub struct Intent {
    pub effect_id: String,
    /// The end by [`Clock::since_boot`], counted from before the transaction began.
    deadline: Millis,
}

impl Intent {
    pub(crate) fn new(effect_id: String, deadline: Millis) -> Self {
        Self { effect_id, deadline }
    }

    /// Returns whether the click may still be made.
    pub fn still_valid(&self, clock: &dyn Clock) -> bool {
        clock.since_boot() < self.deadline
    }
}

/// Why an intent is denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntentDenied {
    /// The claim or the account lock is lost: the attempt must stop and write nothing.
    ClaimLost,
    /// Cancellation of the job was requested.
    Cancelled,
    /// The account is paused.
    AccountPaused,
    /// The job's state contains no consent for this effect.
    NoConsent,
    /// The budget of this minute is used up until the given time.
    RateLimited(Millis),
    /// The job has an open effect, or another publication of the account is in doubt.
    InDoubt,
}

/// Commits an intent, or returns why it is denied as the inner error.
pub async fn commit(
    context: &Context,
    claim: &Claim,
    proposal: Proposal,
) -> Result<std::result::Result<Intent, IntentDenied>> {
    let deadline = context.clock.since_boot() + validity(context, proposal.kind);
    let (context_, claim) = (context.clone(), claim.clone());
    let committed = context
        .store
        .write(move |tx| {
            let (context, claim, proposal) = (context_.clone(), claim.clone(), proposal.clone());
            async move { write_intent(tx, &context, &claim, &proposal).await }.boxed()
        })
        .await?;
    Ok(committed.map(|effect_id| Intent::new(effect_id, deadline)))
}

async fn write_intent(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    proposal: &Proposal,
) -> Result<std::result::Result<String, IntentDenied>> {
    let account = tx
        .locked(accounts::Entity::find_by_id(&proposal.lock.account_id))
        .one(tx)
        .await?;
    let Some(account) = account else {
        return Ok(Err(IntentDenied::NoConsent));
    };
    let row = load(tx, &proposal.job_id).await?;
    if !crate::failpoints::disables("intent_checks")
        && let Some(denied) = check_denied(tx, claim, proposal, &account, &row).await?
    {
        return Ok(Err(denied));
    }
    let now = tx.now().await?;
    if proposal.kind.publishes() && in_doubt_elsewhere(tx, &account.id).await? {
        return Ok(Err(IntentDenied::InDoubt));
    }
    let free = match proposal.kind {
        EffectKind::Publish => budget::next_intent(tx, &context.settings, &account, now).await?,
        kind if kind.changes() => budget::next_change(tx, &context.settings, &account, now).await?,
        _ => None,
    };
    if let Some(free) = free {
        return Ok(Err(IntentDenied::RateLimited(free)));
    }
    let id = insert(tx, context, claim, proposal, &row, now).await?;
    if proposal.kind == EffectKind::ManualTakeover {
        manual_takeover(tx, context, row, now).await?;
    } else if proposal.kind.is_final() {
        let publishing = publish_jobs::Model {
            state: State::Publishing,
            ..row
        };
        save(tx, publishing, Kind::PublishJobPublishing).await?;
    }
    Ok(Ok(id))
}

/// Returns how long an intent is valid: for a click, or for a person's use of the window.
fn validity(context: &Context, kind: EffectKind) -> Millis {
    match kind {
        EffectKind::ManualTakeover => context.settings.confirm_token_ms,
        _ => context.settings.effects.click_window_ms,
    }
}

/// Moves job and listing to the manual takeover. From this commit on the person may use the window.
async fn manual_takeover(tx: &Tx, context: &Context, row: publish_jobs::Model, now: Millis) -> Result<()> {
    let listing = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?;
    if let Some(listing) = listing {
        set_listing_state(tx, listing, ListingState::Publishing, now).await?;
    }
    let taken_over = publish_jobs::Model {
        state: State::ManualTakeover,
        confirm_expire_time: Some(now + validity(context, EffectKind::ManualTakeover)),
        ..row
    };
    save(tx, taken_over, Kind::PublishJobManualTakeover)
        .await
        .map(drop)
}

/// Returns why the intent is denied: the claim, the account lock or the consent is lost, or the job has an open effect.
async fn check_denied(
    tx: &Tx,
    claim: &Claim,
    proposal: &Proposal,
    account: &accounts::Model,
    row: &publish_jobs::Model,
) -> Result<Option<IntentDenied>> {
    if claim.require_live(tx).await.is_err() || !proposal.lock.is_live(tx).await? {
        return Ok(Some(IntentDenied::ClaimLost));
    }
    if row.cancel_requested {
        return Ok(Some(IntentDenied::Cancelled));
    }
    if account.state != AccountState::Active {
        return Ok(Some(IntentDenied::AccountPaused));
    }
    let gone = account.delete_time.is_some() || account.site != row.site;
    let approved = row.revision_hash == proposal.revision_hash
        && Revision::decode(&row.revision, &row.revision_hash).is_ok();
    if gone || !approved || !consents(row, proposal.kind) {
        return Ok(Some(IntentDenied::NoConsent));
    }
    if open_effect(tx, &row.id).await?.is_some() {
        return Ok(Some(IntentDenied::InDoubt));
    }
    Ok(None)
}

/// Returns whether the job's state contains consent for an effect. A draft is private, so that a preparation without
/// `dry_run` counts as consent to it. Publications and changes require a confirmation.
fn consents(row: &publish_jobs::Model, kind: EffectKind) -> bool {
    let confirmed = row.state == State::Confirmed && row.confirm_time.is_some();
    if Some(row.kind) != kind.job_kind() {
        return false;
    }
    match kind {
        EffectKind::DraftSave => confirmed || (row.state == State::Preparing && !row.dry_run),
        EffectKind::Publish
        | EffectKind::Edit
        | EffectKind::Hide
        | EffectKind::Unhide
        | EffectKind::Delete => confirmed,
        // Requesting a manual takeover counts as consent.
        EffectKind::ManualTakeover => row.state == State::Preparing && row.manual_takeover,
        EffectKind::Reply | EffectKind::ThreadRemoval => false,
    }
}

pub(super) async fn in_doubt_elsewhere(tx: &Tx, account_id: &str) -> Result<bool> {
    use sea_orm::{ColumnTrait, QueryFilter};
    let open = effects::Entity::find()
        .filter(effects::Column::AccountId.eq(account_id))
        .filter(effects::Column::Kind.is_in(EffectKind::PUBLISHES))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    Ok(open.one(tx).await?.is_some())
}

async fn insert(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    proposal: &Proposal,
    row: &publish_jobs::Model,
    now: Millis,
) -> Result<String> {
    let remote_snapshot = proposal.remote_snapshot.as_ref();
    let new = NewEffect {
        kind: proposal.kind,
        workspace_id: &row.workspace_id,
        account_id: &row.account_id,
        site: &row.site,
        subject_id: &row.id,
        form_session_id: &proposal.form_session_id,
        validity_ms: validity(context, proposal.kind),
        known_remote_ids: serde_json::to_string(&proposal.known_remote_ids)?,
        target_remote_id: proposal.target_remote_id.clone(),
        target_photo_ids: serde_json::to_string(&proposal.target_photo_ids)?,
        remote_snapshot: remote_snapshot.map(serde_json::to_string).transpose()?,
    };
    insert_effect(tx, context, claim, new, now).await
}

/// An effect before its intent is committed.
pub(crate) struct NewEffect<'a> {
    pub kind: EffectKind,
    pub workspace_id: &'a str,
    pub account_id: &'a str,
    pub site: &'a str,
    /// The publish job, the reply or the thread that the effect belongs to.
    pub subject_id: &'a str,
    pub form_session_id: &'a str,
    /// How long the intent permits the write, in milliseconds.
    pub validity_ms: Millis,
    /// JSON list of the remote ids that the site showed directly before.
    pub known_remote_ids: String,
    pub target_remote_id: Option<String>,
    /// JSON list of the photo ids of the target.
    pub target_photo_ids: String,
    /// JSON of the item to change, as it was read directly before.
    pub remote_snapshot: Option<String>,
}

/// Inserts an effect in state INTENDED and returns its id.
pub(crate) async fn insert_effect(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    new: NewEffect<'_>,
    now: Millis,
) -> Result<String> {
    let id = tx.id();
    let not_after = now + new.validity_ms;
    let reconcile_after = not_after + context.settings.effects.request_timeout_ms;
    let effect = effects::ActiveModel {
        id: Set(id.clone()),
        workspace_id: Set(new.workspace_id.to_owned()),
        account_id: Set(new.account_id.to_owned()),
        site: Set(new.site.to_owned()),
        subject_id: Set(new.subject_id.to_owned()),
        kind: Set(new.kind),
        state: Set(EffectState::Intended),
        claim_epoch: Set(claim.epoch),
        form_session_id: Set(new.form_session_id.to_owned()),
        intent_time: Set(now),
        not_after: Set(not_after),
        reconcile_after: Set(reconcile_after),
        settle_until: Set(reconcile_after + context.settings.effects.settle_ms),
        known_remote_ids: Set(new.known_remote_ids),
        target_remote_id: Set(new.target_remote_id),
        target_photo_ids: Set(new.target_photo_ids),
        remote_snapshot: Set(new.remote_snapshot),
        remote_id: Set(None),
        note: Set(None),
        decide_time: Set(None),
        watch_until: Set(None),
    };
    effects::Entity::insert(effect).exec_without_returning(tx).await?;
    Ok(id)
}
