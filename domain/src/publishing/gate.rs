//! The only gate: the transaction that commits an intent. What it lets through may be clicked once, until it expires.

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
use crate::{Domain, Result};

/// What is to be done, and what it rests on.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub job_id: String,
    pub kind: EffectKind,
    pub composer_id: String,
    /// Hash of the revision that the form was filled with.
    pub revision_hash: String,
    pub lock: AccountLock,
    /// Every remote id of a complete wardrobe reading made just before.
    pub known_remote_ids: Vec<String>,
    /// The draft that is to be published, with its photos.
    pub target_remote_id: Option<String>,
    pub target_photo_ids: Vec<String>,
    /// The item that is to be changed, as it was read just before.
    pub seen: Option<OwnItem>,
}

/// A committed intent: the right to one click, until it expires.
#[derive(Clone, Debug)]
pub struct Intent {
    pub effect_id: String,
    /// On the clock that counts suspended time, measured from before the transaction began.
    deadline: Millis,
}

impl Intent {
    pub(crate) fn new(effect_id: String, deadline: Millis) -> Self {
        Self { effect_id, deadline }
    }

    /// Whether the click may still be made.
    pub fn still_valid(&self, clock: &dyn Clock) -> bool {
        clock.since_boot() < self.deadline
    }
}

/// Why the gate stays shut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shut {
    /// Somebody else has the job or the account by now: stop, write nothing.
    ClaimLost,
    /// The job is to be cancelled.
    Cancelled,
    /// A challenge paused the account.
    AccountPaused,
    /// The job's state holds no consent for this.
    NoConsent,
    /// The budget of this minute is used up; it frees at that time.
    RateLimited(Millis),
    /// Another publication of this account is undecided.
    Undecided,
}

/// Commits an intent, or says why not.
pub async fn intend(
    domain: &Domain,
    claim: &Claim,
    proposal: Proposal,
) -> Result<std::result::Result<Intent, Shut>> {
    let deadline = domain.clock.since_boot() + open_for(domain, proposal.kind);
    let (domain_, claim) = (domain.clone(), claim.clone());
    let committed = domain
        .store
        .write(move |tx| {
            let (domain, claim, proposal) = (domain_.clone(), claim.clone(), proposal.clone());
            async move { commit(tx, &domain, &claim, &proposal).await }.boxed()
        })
        .await?;
    Ok(committed.map(|effect_id| Intent::new(effect_id, deadline)))
}

async fn commit(
    tx: &Tx,
    domain: &Domain,
    claim: &Claim,
    proposal: &Proposal,
) -> Result<std::result::Result<String, Shut>> {
    let account = tx
        .locked(accounts::Entity::find_by_id(&proposal.lock.account_id))
        .one(tx)
        .await?;
    let Some(account) = account else {
        return Ok(Err(Shut::NoConsent));
    };
    let row = load(tx, &proposal.job_id).await?;
    if !crate::failpoints::disables("gate")
        && let Some(shut) = shut(tx, claim, proposal, &account, &row).await?
    {
        return Ok(Err(shut));
    }
    let now = tx.now().await?;
    if proposal.kind.publishes() && undecided_elsewhere(tx, &account.id).await? {
        return Ok(Err(Shut::Undecided));
    }
    let free = match proposal.kind {
        EffectKind::Publish => budget::next_intent(tx, &domain.settings, &account, now).await?,
        kind if kind.changes() => budget::next_change(tx, &domain.settings, &account, now).await?,
        _ => None,
    };
    if let Some(free) = free {
        return Ok(Err(Shut::RateLimited(free)));
    }
    let id = insert(tx, domain, claim, proposal, &row, now).await?;
    if proposal.kind == EffectKind::HandOver {
        hand_over(tx, domain, row, now).await?;
    } else if proposal.kind.is_final() {
        let publishing = publish_jobs::Model {
            state: State::Publishing,
            ..row
        };
        save(tx, publishing, Kind::PublishJobPublishing).await?;
    }
    Ok(Ok(id))
}

/// How long an intent allows what it is for: a click, or a person at the window.
fn open_for(domain: &Domain, kind: EffectKind) -> Millis {
    match kind {
        EffectKind::HandOver => domain.settings.confirm_token_ms,
        _ => domain.settings.click_window_ms,
    }
}

/// The window is the person's from this commit on, and the listing stays what the form says.
async fn hand_over(tx: &Tx, domain: &Domain, row: publish_jobs::Model, now: Millis) -> Result<()> {
    let listing = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?;
    if let Some(listing) = listing {
        set_listing_state(tx, listing, ListingState::Publishing, now).await?;
    }
    let handed = publish_jobs::Model {
        state: State::HandedOver,
        confirm_expire_time: Some(now + open_for(domain, EffectKind::HandOver)),
        ..row
    };
    save(tx, handed, Kind::PublishJobHandedOver).await.map(drop)
}

/// Whether the claim, the lock and the consent do not stand any more, or another effect is open.
async fn shut(
    tx: &Tx,
    claim: &Claim,
    proposal: &Proposal,
    account: &accounts::Model,
    row: &publish_jobs::Model,
) -> Result<Option<Shut>> {
    if claim.require_live(tx).await.is_err() || !proposal.lock.is_live(tx).await? {
        return Ok(Some(Shut::ClaimLost));
    }
    if row.cancel_requested {
        return Ok(Some(Shut::Cancelled));
    }
    if account.state != AccountState::Active {
        return Ok(Some(Shut::AccountPaused));
    }
    let gone = account.delete_time.is_some() || account.site != row.site;
    let approved = row.revision_hash == proposal.revision_hash
        && Revision::thaw(&row.revision, &row.revision_hash).is_ok();
    if gone || !approved || !consents(row, proposal.kind) {
        return Ok(Some(Shut::NoConsent));
    }
    if open_effect(tx, &row.id).await?.is_some() {
        return Ok(Some(Shut::Undecided));
    }
    Ok(None)
}

/// A draft is private: asking for one that stays, or confirming, is consent to it. To publish takes a confirmation.
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
        // To ask for the window is the consent.
        EffectKind::HandOver => row.state == State::Preparing && row.hand_over,
        EffectKind::Reply | EffectKind::ThreadRemoval => false,
    }
}

pub(super) async fn undecided_elsewhere(tx: &Tx, account_id: &str) -> Result<bool> {
    use sea_orm::{ColumnTrait, QueryFilter};
    let open = effects::Entity::find()
        .filter(effects::Column::AccountId.eq(account_id))
        .filter(effects::Column::Kind.is_in(EffectKind::PUBLISHES))
        .filter(effects::Column::State.is_in([EffectState::Intended, EffectState::Unconfirmed]));
    Ok(open.one(tx).await?.is_some())
}

async fn insert(
    tx: &Tx,
    domain: &Domain,
    claim: &Claim,
    proposal: &Proposal,
    row: &publish_jobs::Model,
    now: Millis,
) -> Result<String> {
    let id = tx.id();
    let not_after = now + open_for(domain, proposal.kind);
    let reconcile_after = not_after + domain.settings.request_timeout_ms;
    let effect = effects::ActiveModel {
        id: Set(id.clone()),
        owner_id: Set(row.owner_id.clone()),
        account_id: Set(row.account_id.clone()),
        site: Set(row.site.clone()),
        subject_id: Set(row.id.clone()),
        kind: Set(proposal.kind),
        state: Set(EffectState::Intended),
        claim_epoch: Set(claim.epoch),
        composer_id: Set(proposal.composer_id.clone()),
        intent_time: Set(now),
        not_after: Set(not_after),
        reconcile_after: Set(reconcile_after),
        settle_until: Set(reconcile_after + domain.settings.settle_ms),
        known_remote_ids: Set(serde_json::to_string(&proposal.known_remote_ids)?),
        target_remote_id: Set(proposal.target_remote_id.clone()),
        target_photo_ids: Set(serde_json::to_string(&proposal.target_photo_ids)?),
        seen: Set(proposal.seen.as_ref().map(serde_json::to_string).transpose()?),
        remote_id: Set(None),
        note: Set(None),
        decide_time: Set(None),
        watch_until: Set(None),
    };
    effects::Entity::insert(effect).exec_without_returning(tx).await?;
    Ok(id)
}
