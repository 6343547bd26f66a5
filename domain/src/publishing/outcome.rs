//! Writing down what became of an attempt, of an effect and of a job.

use futures::FutureExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
};
use vintedbot_marketplace::FieldReading;
use vintedbot_marketplace::challenge::AccountFollows;

use super::job::{load, save, wait};
use super::{EffectKind, EffectState, PublishJob, State, WaitReason, claims, open_effect};
use crate::accounts::{self, AccountLock};
use crate::clock::Millis;
use crate::events::{Kind, PendingEvent};
use crate::jobs::{self, Claim, Outcome};
use crate::keys::sha256_hex;
use crate::listings::{Listing, ListingState};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, effects, listings, publish_jobs};
use crate::wardrobe::Seen;
use crate::wardrobe::seen::Pairing;
use crate::{Domain, Reason, Result};

/// How a job ends.
#[derive(Clone, Debug)]
pub enum Ended<'a> {
    Published {
        hidden: bool,
        url: Option<String>,
    },
    /// A change of an item is made.
    Done,
    Failed {
        reason: Reason,
        message: String,
    },
    Cancelled {
        reason: Reason,
        message: &'a str,
    },
    Expired,
}

/// What follows for a job from an attempt at it.
#[derive(Clone, Debug)]
pub enum Next {
    /// The form held what was approved; a person is to look.
    Prepared {
        read_back: Vec<FieldReading>,
        screenshot_key: Option<String>,
    },
    /// A challenge stopped it. With an effect open, its outcome is in doubt instead.
    Blocked {
        reason: Reason,
        message: String,
        account: AccountFollows,
    },
    /// The site asked to be left alone until that time.
    Quiet { until: Millis },
    /// It cannot succeed as it is.
    Failed { reason: Reason, message: String },
    /// It may succeed later.
    Again { reason: Reason, message: String },
    /// It goes on at that time.
    Later { until: Millis, why: WaitReason },
    /// The person who is asked has to answer.
    Ask { reason: Reason, message: String },
    /// It was to be cancelled.
    Cancelled,
    /// A drain takes it back before it has done anything that lasts.
    HandedBack,
    /// It has ended, or waits, as the row says.
    AsItIs,
}

/// Lets go of the claim and of the account, and moves the job on. When the claim was lost nothing is written: its new
/// holder decides.
pub async fn conclude(domain: &Domain, claim: &Claim, lock: Option<&AccountLock>, next: Next) -> Result<()> {
    let (domain_, claim, lock) = (domain.clone(), claim.clone(), lock.cloned());
    domain
        .store
        .write(move |tx| {
            let (domain, claim, lock, next) = (domain_.clone(), claim.clone(), lock.clone(), next.clone());
            async move {
                lock_account(tx, &claim).await?;
                if let Some(lock) = lock {
                    lock.release(tx).await?;
                }
                if claim.require_held(tx).await.is_err() {
                    return Ok(());
                }
                let job_id = claim.job.subject_id.clone().unwrap_or_default();
                let row = load(tx, &job_id).await?;
                let outcome = apply(tx, &domain, &claim, row, next).await?;
                claim.finish(tx, &outcome, &domain.settings.back_off()).await
            }
            .boxed()
        })
        .await
}

async fn lock_account(tx: &Tx, claim: &Claim) -> Result<()> {
    let account_id = claim.job.account_id.clone().unwrap_or_default();
    tx.locked(account_rows::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    Ok(())
}

async fn apply(
    tx: &Tx,
    domain: &Domain,
    claim: &Claim,
    mut row: publish_jobs::Model,
    next: Next,
) -> Result<Outcome> {
    if row.state.has_ended() {
        return Ok(Outcome::Done);
    }
    let now = tx.now().await?;
    match next {
        Next::Prepared {
            read_back,
            screenshot_key,
        } => {
            if row.cancel_requested {
                return cancelled(tx, row).await;
            }
            let expire = now + domain.settings.confirm_token_ms;
            let read_back = serde_json::to_string(&read_back)?;
            row.read_back_hash = Some(sha256_hex(&read_back));
            row.read_back = Some(read_back);
            row.screenshot_key = screenshot_key;
            row.confirm_expire_time = Some(expire);
            row.state = State::AwaitingConfirmation;
            super::schedule::say_if_missed(&mut row);
            row.wait_reason = None;
            row.wait_until = None;
            save(tx, row, Kind::PublishJobReady).await?;
            Ok(Outcome::At(expire))
        }
        Next::Blocked {
            reason,
            message,
            account,
        } => {
            let has_effect = open_effect(tx, &row.id).await?.is_some();
            if account == AccountFollows::GoesOn {
                if has_effect {
                    // The page said nothing about the click; the site is read again for it.
                    let until = now + domain.settings.settle_poll_ms;
                    wait(tx, &row, Some(WaitReason::Settling), Some(until)).await?;
                    return Ok(Outcome::At(until));
                }
            } else {
                accounts::pause(tx, &row.account_id, reason, &message, Some(&row.id)).await?;
            }
            row.needs_manual = true;
            row.reason = Some(reason.name());
            row.message = Some(message);
            if has_effect {
                // Its outcome is in doubt; once the account is resumed, the site is read for it.
                let row = save(tx, row, Kind::PublishJobUpdated).await?;
                wait_paused(tx, &row.id).await?;
                return Ok(Outcome::Wait);
            }
            row.state = State::Blocked;
            save(tx, row, Kind::PublishJobBlocked).await?;
            Ok(Outcome::Wait)
        }
        Next::Failed { reason, message } => {
            if open_effect(tx, &row.id).await?.is_some() {
                // Whatever keeps the site from being read, what became of the click is still to be found out.
                return ask(tx, row, reason, message).await;
            }
            end_in(tx, row, Ended::Failed { reason, message }).await?;
            Ok(Outcome::Done)
        }
        Next::Again { reason, message } => {
            if row.cancel_requested && open_effect(tx, &row.id).await?.is_none() {
                return cancelled(tx, row).await;
            }
            if claim.job.failures + 1 >= domain.settings.max_failures
                && open_effect(tx, &row.id).await?.is_none()
            {
                let message = format!("given up after {} failures: {message}", claim.job.failures + 1);
                end_in(
                    tx,
                    row,
                    Ended::Failed {
                        reason,
                        message: message.clone(),
                    },
                )
                .await?;
                return Ok(Outcome::Dead { error: message });
            }
            if open_effect(tx, &row.id).await?.is_some() {
                // Never given up: it ends when the site can be read, or when a person says.
                let until = now + domain.settings.back_off_ms.max(domain.settings.settle_poll_ms);
                wait(tx, &row, Some(WaitReason::Settling), Some(until)).await?;
                return Ok(Outcome::At(until));
            }
            let until = now + domain.settings.back_off().pause(claim.job.failures + 1);
            if row.state == State::Preparing {
                row.state = State::Queued;
            }
            row.reason = Some(reason.name());
            row.message = Some(message.clone());
            save(tx, row.clone(), Kind::PublishJobUpdated).await?;
            wait(tx, &row, Some(WaitReason::BackOff), Some(until)).await?;
            Ok(Outcome::Retry { error: message })
        }
        Next::Later { until, why } => {
            let row = start_over(tx, row).await?;
            wait(tx, &row, Some(why), Some(until)).await?;
            Ok(Outcome::At(until))
        }
        Next::Quiet { until } => {
            accounts::keep_quiet(tx, &row.account_id, until).await?;
            let row = start_over(tx, row).await?;
            wait(tx, &row, Some(WaitReason::RateLimit), Some(until)).await?;
            Ok(Outcome::At(until))
        }
        Next::Ask { reason, message } => ask(tx, row, reason, message).await,
        Next::Cancelled => cancelled(tx, row).await,
        Next::HandedBack => {
            start_over(tx, row).await?;
            Ok(Outcome::HandBack)
        }
        Next::AsItIs => Ok(if row.needs_manual {
            Outcome::Wait
        } else {
            Outcome::At(now)
        }),
    }
}

/// A job that was being prepared is to be prepared again; any other stays where it is.
async fn start_over(tx: &Tx, mut row: publish_jobs::Model) -> Result<publish_jobs::Model> {
    if row.state == State::Preparing {
        row.state = State::Queued;
        let sequence = row.sequence;
        save(tx, row.clone(), Kind::PublishJobUpdated).await?;
        row.sequence = sequence;
    }
    Ok(row)
}

async fn cancelled(tx: &Tx, row: publish_jobs::Model) -> Result<Outcome> {
    let reason = row
        .reason
        .as_deref()
        .and_then(Reason::from_name)
        .unwrap_or(Reason::CancelledByPerson);
    end_in(
        tx,
        row,
        Ended::Cancelled {
            reason,
            message: "cancelled",
        },
    )
    .await?;
    Ok(Outcome::Done)
}

async fn wait_paused(tx: &Tx, job_id: &str) -> Result<()> {
    let row = load(tx, job_id).await?;
    wait(tx, &row, Some(WaitReason::AccountPaused), None).await
}

/// Only a person can say what became of the click.
async fn ask(tx: &Tx, mut row: publish_jobs::Model, reason: Reason, message: String) -> Result<Outcome> {
    row.state = State::Unconfirmed;
    row.needs_manual = true;
    row.reason = Some(reason.name());
    row.message = Some(message);
    row.wait_reason = None;
    row.wait_until = None;
    if let Some(effect) = open_effect(tx, &row.id).await? {
        set_effect(
            tx,
            effects::Model {
                state: EffectState::Unconfirmed,
                ..effect
            },
        )
        .await?;
    }
    save(tx, row, Kind::PublishJobUnconfirmed).await?;
    Ok(Outcome::Wait)
}

/// Ends a job, puts its listing where it belongs, and lets its work row end too.
pub(super) async fn end_in(tx: &Tx, mut row: publish_jobs::Model, ended: Ended<'_>) -> Result<PublishJob> {
    row.needs_manual = false;
    row.wait_reason = None;
    row.wait_until = None;
    let now = tx.now().await?;
    let kind = match ended {
        Ended::Published { hidden, url } => {
            row.state = State::Published;
            row.hidden = hidden;
            row.remote_url = url;
            row.reason = None;
            row.message = None;
            Kind::PublishJobPublished
        }
        Ended::Done => {
            row.state = State::Done;
            row.reason = None;
            row.message = None;
            Kind::PublishJobDone
        }
        Ended::Failed { reason, message } => {
            row.state = State::Failed;
            row.reason = Some(reason.name());
            row.message = Some(message);
            Kind::PublishJobFailed
        }
        Ended::Cancelled { reason, message } => {
            row.state = State::Cancelled;
            row.reason = Some(reason.name());
            row.message = Some(message.to_owned());
            Kind::PublishJobCancelled
        }
        Ended::Expired => {
            row.state = State::Expired;
            row.reason = Some(Reason::ConfirmationExpired.name());
            row.message = Some("not confirmed in time".to_owned());
            Kind::PublishJobExpired
        }
    };
    place_listing(tx, &row, now).await?;
    let work = super::work_of(tx, &row.id).await?;
    jobs::requeue(tx, &work, now).await?;
    save(tx, row, kind).await
}

async fn place_listing(tx: &Tx, row: &publish_jobs::Model, now: Millis) -> Result<()> {
    let Some(mut listing) = tx
        .locked(listings::Entity::find_by_id(&row.listing_id))
        .one(tx)
        .await?
    else {
        return Ok(());
    };
    if row.state == State::Published {
        listing.state = ListingState::Published;
        listing.hidden = row.hidden;
        listing.remote_item_id.clone_from(&row.remote_item_id);
        listing.remote_url.clone_from(&row.remote_url);
        listing.remote_site = Some(row.site.clone());
        listing.publish_time = Some(now);
        remember_photos(tx, row, &mut listing).await?;
    } else if row.state == State::Done {
        super::changed::apply(row, &mut listing)?;
        let photo_ids: Vec<String> = serde_json::from_str(&listing.photo_ids)?;
        listing.active_publish_job_id = listing.active_publish_job_id.filter(|active| *active != row.id);
        return crate::listings::save(tx, listing, Some(&photo_ids)).await;
    } else if listing.state == ListingState::Publishing {
        listing.state = ListingState::Draft;
    }
    listing.active_publish_job_id = listing.active_publish_job_id.filter(|active| *active != row.id);
    listing.update_time = now;
    listing.clone().into_active_model().reset_all().update(tx).await?;
    tx.emit(PendingEvent::changed(
        Kind::ListingUpdated,
        &Listing::from(listing),
    )?);
    Ok(())
}

/// What the site calls the photos of an item that was just published is known from its draft.
async fn remember_photos(tx: &Tx, row: &publish_jobs::Model, listing: &mut listings::Model) -> Result<()> {
    let effect = effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(row.id.as_str()))
        .filter(effects::Column::Kind.eq(EffectKind::Publish))
        .filter(effects::Column::State.eq(EffectState::Done))
        .one(tx)
        .await?;
    let there: Vec<String> = match effect {
        Some(effect) => serde_json::from_str(&effect.target_photo_ids)?,
        None => Vec::new(),
    };
    let here: Vec<String> = serde_json::from_str(&listing.photo_ids)?;
    let pairing = (there.len() == here.len()).then_some(Pairing { there, here });
    let seen = Seen {
        pairing,
        ..Seen::default()
    };
    listing.remote_seen = Some(serde_json::to_string(&seen)?);
    listing.remote_differences = "[]".to_owned();
    listing.remote_read_time = None;
    Ok(())
}

/// Settles an open effect. One that was settled already is left as it is, and is an error.
pub(super) async fn settle(
    tx: &Tx,
    effect: effects::Model,
    state: EffectState,
    remote_id: Option<&str>,
    note: &str,
) -> Result<effects::Model> {
    let effect = effects::Model {
        state,
        remote_id: remote_id.map(str::to_owned),
        note: Some(note.to_owned()),
        decide_time: Some(tx.now().await?),
        ..effect
    };
    set_effect(tx, effect).await
}

/// Watches the site for a late appearance of what was settled as not done.
pub(super) async fn watch(tx: &Tx, effect: &effects::Model, watch_ms: Millis) -> Result<()> {
    let until = tx.now().await? + watch_ms;
    set_effect(
        tx,
        effects::Model {
            watch_until: Some(until),
            ..effect.clone()
        },
    )
    .await
    .map(drop)
}

async fn set_effect(tx: &Tx, effect: effects::Model) -> Result<effects::Model> {
    effect.clone().into_active_model().reset_all().update(tx).await?;
    Ok(effect)
}

/// The effect, locked, if it is still open. The account's row is locked before it, as everywhere.
pub(super) async fn load_open(tx: &Tx, effect_id: &str) -> Result<Option<effects::Model>> {
    let Some(effect) = effects::Entity::find_by_id(effect_id).one(tx).await? else {
        return Ok(None);
    };
    tx.locked(account_rows::Entity::find_by_id(&effect.account_id))
        .one(tx)
        .await?;
    let effect = tx.locked(effects::Entity::find_by_id(effect_id)).one(tx).await?;
    Ok(effect.filter(|effect| matches!(effect.state, EffectState::Intended | EffectState::Unconfirmed)))
}

/// An effect as it is, while its outcome is open.
pub async fn effect(domain: &Domain, effect_id: &str) -> Result<Option<effects::Model>> {
    let open = [EffectState::Intended, EffectState::Unconfirmed];
    Ok(effects::Entity::find_by_id(effect_id)
        .filter(effects::Column::State.is_in(open))
        .one(domain.store.reader())
        .await?)
}

/// A draft of ours is on the site. Needs no claim: it is what happened.
pub async fn draft_saved(domain: &Domain, effect_id: &str, remote_id: &str) -> Result<()> {
    let (effect_id, remote_id) = (effect_id.to_owned(), remote_id.to_owned());
    domain
        .store
        .write(move |tx| {
            let (effect_id, remote_id) = (effect_id.clone(), remote_id.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                let mut row = load(tx, &effect.subject_id).await?;
                claims::claim_item(tx, &row, &remote_id).await?;
                settle(tx, effect, EffectState::Done, Some(&remote_id), "draft saved").await?;
                row.draft_remote_id = Some(remote_id);
                // The row is no further than it was: no event of its own.
                row.into_active_model().reset_all().update(tx).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// The item is on the site, once. Needs no claim: it is what happened.
pub async fn published(
    domain: &Domain,
    effect_id: &str,
    remote_id: &str,
    url: &str,
    hidden: bool,
    note: &str,
) -> Result<()> {
    let (effect_id, remote_id) = (effect_id.to_owned(), remote_id.to_owned());
    let (url, note) = (url.to_owned(), note.to_owned());
    domain
        .store
        .write(move |tx| {
            let (effect_id, remote_id, url, note) =
                (effect_id.clone(), remote_id.clone(), url.clone(), note.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                let row = load(tx, &effect.subject_id).await?;
                settle(tx, effect, EffectState::Done, Some(&remote_id), &note).await?;
                end_published(tx, row, &remote_id, &url, hidden).await
            }
            .boxed()
        })
        .await
}

async fn end_published(
    tx: &Tx,
    mut row: publish_jobs::Model,
    remote_id: &str,
    url: &str,
    hidden: bool,
) -> Result<()> {
    claims::claim_item(tx, &row, remote_id).await?;
    row.remote_item_id = Some(remote_id.to_owned());
    end_in(
        tx,
        row,
        Ended::Published {
            hidden,
            url: Some(url.to_owned()),
        },
    )
    .await
    .map(drop)
}

/// The draft became an item without a click of ours that is open: the person published it by hand.
pub async fn found_published(
    domain: &Domain,
    job_id: &str,
    remote_id: &str,
    url: &str,
    hidden: bool,
) -> Result<()> {
    let (job_id, remote_id, url) = (job_id.to_owned(), remote_id.to_owned(), url.to_owned());
    domain
        .store
        .write(move |tx| {
            let (job_id, remote_id, url) = (job_id.clone(), remote_id.clone(), url.clone());
            async move {
                let row = load(tx, &job_id).await?;
                if row.state.has_ended() {
                    return Ok(());
                }
                end_published(tx, row, &remote_id, &url, hidden).await
            }
            .boxed()
        })
        .await
}

/// The click's answer did not come, or said nothing: the site has to be read from now on.
pub async fn unconfirmed(domain: &Domain, effect_id: &str, note: &str) -> Result<()> {
    let (effect_id, note, settle_ms) = (effect_id.to_owned(), note.to_owned(), domain.settings.settle_ms);
    domain
        .store
        .write(move |tx| {
            let (effect_id, note) = (effect_id.clone(), note.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                if effect.state == EffectState::Unconfirmed {
                    return Ok(());
                }
                let settle_until = tx.now().await? + settle_ms;
                let (kind, job_id) = (effect.kind, effect.subject_id.clone());
                let doubt = effects::Model {
                    state: EffectState::Unconfirmed,
                    settle_until,
                    note: Some(note),
                    ..effect
                };
                set_effect(tx, doubt).await?;
                if kind.is_final() {
                    let row = load(tx, &job_id).await?;
                    save(
                        tx,
                        publish_jobs::Model {
                            state: State::Unconfirmed,
                            ..row
                        },
                        Kind::PublishJobUnconfirmed,
                    )
                    .await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

/// The effect provably did not happen: the job may try again.
pub async fn not_done(
    domain: &Domain,
    effect_id: &str,
    note: &str,
    watched: bool,
    strays: &[String],
) -> Result<()> {
    let (effect_id, note, strays) = (effect_id.to_owned(), note.to_owned(), strays.to_vec());
    let watch_ms = domain.settings.watch_ms;
    domain
        .store
        .write(move |tx| {
            let (effect_id, note, strays) = (effect_id.clone(), note.clone(), strays.clone());
            async move {
                let Some(effect) = load_open(tx, &effect_id).await? else {
                    return Ok(());
                };
                let mut row = load(tx, &effect.subject_id).await?;
                let effect = settle(tx, effect, EffectState::NotDone, None, &note).await?;
                if watched && effect.kind == EffectKind::Publish {
                    watch(tx, &effect, watch_ms).await?;
                }
                let mut all: Vec<String> = serde_json::from_str(&row.stray_drafts)?;
                all.extend(strays);
                row.stray_drafts = serde_json::to_string(&all)?;
                if effect.kind.is_final() {
                    row.state = State::Confirmed;
                    row.needs_manual = false;
                    if crate::sabotage::skips("reconcile") {
                        row.draft_remote_id = None;
                    }
                }
                save(tx, row, Kind::PublishJobUpdated).await?;
                Ok(())
            }
            .boxed()
        })
        .await
}

/// The note of an effect that the site does not show.
pub const TRACELESS: &str = "not there after the settling window";

/// How many clicks of a job were settled as not done because the site did not show what they should have made.
pub async fn clicks_without_trace(domain: &Domain, job_id: &str) -> Result<u64> {
    Ok(effects::Entity::find()
        .filter(effects::Column::SubjectId.eq(job_id))
        .filter(effects::Column::Kind.ne(EffectKind::DraftSave))
        .filter(effects::Column::State.eq(EffectState::NotDone))
        .filter(effects::Column::Note.eq(TRACELESS))
        .count(domain.store.reader())
        .await?)
}

/// The draft of a confirmed job is gone. When a publication of it was tried before, a person is asked, because the item
/// may have come out under another id; else the job has failed.
pub async fn draft_gone(domain: &Domain, job_id: &str) -> Result<Next> {
    let job_id = job_id.to_owned();
    let message = "the draft is not on the site any more".to_owned();
    domain
        .store
        .write(move |tx| {
            let (job_id, message) = (job_id.clone(), message.clone());
            async move {
                let tried = effects::Entity::find()
                    .filter(effects::Column::SubjectId.eq(job_id.as_str()))
                    .filter(effects::Column::Kind.eq(EffectKind::Publish))
                    .order_by_desc(effects::Column::IntentTime)
                    .one(tx)
                    .await?;
                let Some(effect) = tried else {
                    return Ok(Next::Failed {
                        reason: Reason::DraftLost,
                        message,
                    });
                };
                let reopened = effects::Model {
                    state: EffectState::Unconfirmed,
                    watch_until: None,
                    decide_time: None,
                    note: Some(message.clone()),
                    ..effect
                };
                set_effect(tx, reopened).await?;
                Ok(Next::Ask {
                    reason: Reason::DraftLost,
                    message,
                })
            }
            .boxed()
        })
        .await
}
