//! What the worker does for a reading of an account's inbox: it begins, asks which conversations changed, stores one after
//! the other, and ends.
//!
//! Each step that writes is a transaction that first makes sure of its claim. The watermark moves at the end alone, and only
//! where everything was stored, so that a reading that is killed goes on by beginning anew: it finds what is stored already
//! by its rows being equal.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, Iterable as _, PaginatorTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::{Conversation, InboxRow, Seat};

use super::{Freshness, Stored, store_in, turns};
use crate::accounts::{self, Account, AccountState};
use crate::clock::Millis;
use crate::events::Ephemeral;
use crate::jobs::{self, Answer, Claim, Outcome};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, inbox_syncs, threads};
use crate::{Domain, Error, Reason, Result};

/// How often all pages are read, to find what the newest ones did not show.
const FULL_EVERY: Millis = 24 * 60 * 60 * 1000;

/// A reading that is under way.
#[derive(Clone, Debug)]
pub struct Begun {
    pub owner_id: String,
    pub seat: Seat,
    /// Everything that the site changed before this time is here.
    pub watermark: Millis,
    /// Whether all pages are to be read.
    pub is_full: bool,
    /// Whether there are conversations here already, so that an inbox without any is none.
    pub has_threads: bool,
    begin_time: Millis,
    member_id: Option<String>,
}

/// What a reading brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests that were made to the site.
    pub requests: i64,
    pub new_threads: i64,
    /// Messages that were new, in threads that were here before.
    pub new_messages: i64,
}

/// How a reading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything is here that the site changed up to that time; absent: the site says no times.
    Complete { watermark: Option<Millis> },
    /// Something could not be read.
    Late { reason: Reason, message: String },
}

/// Begins a reading. `None`: nothing may be asked of the site now, which is written down, and the claim was let go of.
pub async fn begin(domain: &Domain, claim: &Claim) -> Result<Option<Begun>> {
    let account_id = claim.job.account_id.clone().unwrap_or_default();
    let reader = domain.store.reader();
    let account = account_rows::Entity::find_by_id(&account_id).one(reader).await?;
    let now = domain.store.now().await?;
    let refused = match &account {
        Some(account) if account.delete_time.is_none() => refused(domain, claim, account, now),
        _ => Some((Reason::NotFound, "the account was removed".to_owned())),
    };
    if let Some((reason, message)) = refused {
        let late = Ended::Late { reason, message };
        end(domain, claim, None, &Counts::default(), late).await?;
        return Ok(None);
    }
    let Some(account) = account else { return Ok(None) };
    let key = (account.id.clone(), account.site.clone());
    let progress = inbox_syncs::Entity::find_by_id(key).one(reader).await?;
    // What was read was somebody else's inbox.
    let progress = progress.filter(|progress| progress.member_id == account.member_id);
    let progress = progress.unwrap_or_else(|| turns::beginning(&account));
    let known = threads::Entity::find()
        .filter(threads::Column::AccountId.eq(account.id.as_str()))
        .filter(threads::Column::Site.eq(account.site.as_str()))
        .count(reader)
        .await?;
    Ok(Some(Begun {
        owner_id: account.owner_id.clone(),
        member_id: account.member_id.clone(),
        watermark: progress.watermark,
        is_full: progress.full_time.is_none_or(|time| time + FULL_EVERY <= now),
        has_threads: known > 0 && progress.last_read_time.is_some(),
        begin_time: now,
        seat: accounts::seat(&Account::from(account)),
    }))
}

/// Why nothing may be asked of the account's site.
fn refused(
    domain: &Domain,
    claim: &Claim,
    account: &account_rows::Model,
    now: Millis,
) -> Option<(Reason, String)> {
    if account.state == AccountState::Paused {
        let message = "the account is paused; look at why, then call ResumeAccount";
        return Some((Reason::AccountPaused, message.to_owned()));
    }
    if account.quiet_until.is_some_and(|until| until > now) {
        let message = "the site asked to be left alone for a while; it is read again after that";
        return Some((Reason::ChallengeRateLimit, message.to_owned()));
    }
    if claim.job.claims > domain.settings.max_claims {
        let message = "given up after attempts that ended with their worker; tried again at the next turn";
        return Some((Reason::AttemptsExhausted, message.to_owned()));
    }
    None
}

/// Which of these conversations are not here as their rows are now, each in its place.
pub async fn changed(domain: &Domain, begun: &Begun, rows: &[InboxRow]) -> Result<Vec<bool>> {
    let ids = rows
        .iter()
        .map(|row| super::entry::storable(&row.conversation_id));
    let known = threads::Entity::find()
        .filter(threads::Column::AccountId.eq(begun.seat.account_id.as_str()))
        .filter(threads::Column::Site.eq(begun.seat.site.as_str()))
        .filter(threads::Column::RemoteId.is_in(ids))
        .all(domain.store.reader())
        .await?;
    let listed: HashMap<String, InboxRow> = known
        .into_iter()
        .filter_map(|thread| Some((thread.remote_id, serde_json::from_str(&thread.listed?).ok()?)))
        .collect();
    let is_changed = |row: &InboxRow| {
        let id = super::entry::storable(&row.conversation_id);
        listed.get(&id) != Some(row)
    };
    Ok(rows.iter().map(is_changed).collect())
}

/// Stores a conversation that was read because of its row. `None`: the account is another one meanwhile, or gone.
pub async fn store(
    domain: &Domain,
    claim: &Claim,
    begun: &Begun,
    row: &InboxRow,
    site_time: Option<Millis>,
    conversation: &Conversation,
) -> Result<Option<Stored>> {
    let (claim, begun) = (claim.clone(), begun.clone());
    let (row, conversation) = (row.clone(), conversation.clone());
    domain
        .store
        .write(move |tx| {
            let (claim, begun) = (claim.clone(), begun.clone());
            let (row, conversation) = (row.clone(), conversation.clone());
            async move {
                let Some(account) = same_account(tx, &begun).await? else {
                    return Ok(None);
                };
                claim.require_live(tx).await?;
                let stored = store_in(tx, &account, Some(&row), site_time, &conversation).await?;
                Ok(Some(stored))
            }
            .boxed()
        })
        .await
}

/// The account, locked, if it still is who and where it was when the reading began.
pub(super) async fn same_account(tx: &Tx, begun: &Begun) -> Result<Option<account_rows::Model>> {
    let account = tx
        .locked(account_rows::Entity::find_by_id(&begun.seat.account_id))
        .one(tx)
        .await?;
    Ok(account.filter(|account| {
        account.delete_time.is_none()
            && account.site == begun.seat.site
            && account.member_id == begun.member_id
    }))
}

/// Ends a reading: writes down how fresh the inbox is, answers whoever waits, lets go of the claim, and tells watchers.
pub async fn end(
    domain: &Domain,
    claim: &Claim,
    begun: Option<&Begun>,
    counts: &Counts,
    ended: Ended,
) -> Result<()> {
    let (domain_, claim, begun) = (domain.clone(), claim.clone(), begun.cloned());
    let (counts, ended) = (counts.clone(), ended);
    let told = domain
        .store
        .write(move |tx| {
            let (domain, claim, begun) = (domain_.clone(), claim.clone(), begun.clone());
            let (counts, ended) = (counts.clone(), ended.clone());
            async move {
                let account_id = claim.job.account_id.clone().unwrap_or_default();
                let account = tx
                    .locked(account_rows::Entity::find_by_id(account_id))
                    .one(tx)
                    .await?;
                if claim.require_held(tx).await.is_err() {
                    return Ok(None);
                }
                let account = account.filter(|account| account.delete_time.is_none());
                let told = match account {
                    Some(account) => write_down(tx, account, begun.as_ref(), &ended).await?,
                    None => None,
                };
                jobs::note(tx, &claim.job.id, &counts).await?;
                let answer = match ended {
                    Ended::Complete { .. } => Answer::Done,
                    Ended::Late { reason, message } => Answer::refused(reason, message),
                };
                jobs::answer(tx, &claim.job.id, &answer).await?;
                let back_off = domain.settings.back_off();
                claim.finish(tx, &Outcome::Done, &back_off).await?;
                Ok(told)
            }
            .boxed()
        })
        .await?;
    if let Some((owner_id, account_id, freshness)) = told {
        let ephemeral = Ephemeral::InboxFreshness {
            account_id,
            freshness,
        };
        domain.feed.tell(&owner_id, ephemeral);
    }
    Ok(())
}

async fn write_down(
    tx: &Tx,
    account: account_rows::Model,
    begun: Option<&Begun>,
    ended: &Ended,
) -> Result<Option<(String, String, Freshness)>> {
    if begun.is_some_and(|begun| begun.seat.site != account.site || begun.member_id != account.member_id) {
        // It has moved meanwhile; what was read is not what it shows now.
        return Ok(None);
    }
    let mut progress = turns::progress(tx, &account).await?;
    if progress.member_id != account.member_id {
        progress = inbox_syncs::Model {
            asked: progress.asked,
            ..turns::beginning(&account)
        };
    }
    progress.next_read_time = turns::next(tx, &account).await?;
    match ended {
        Ended::Complete { watermark } => {
            if let Some(watermark) = watermark {
                progress.watermark = progress.watermark.max(*watermark);
            }
            if let Some(begun) = begun {
                progress.last_read_time = Some(begun.begin_time);
                if begun.is_full {
                    progress.full_time = Some(begun.begin_time);
                }
            }
            progress.late_reason = None;
            progress.late_message = None;
        }
        Ended::Late { reason, message } => {
            progress.late_reason = Some(reason.name());
            progress.late_message = Some(super::entry::storable(message));
        }
    }
    put(tx, progress.clone()).await?;
    Ok(Some((account.owner_id, account.id, Freshness::from(progress))))
}

/// Writes how far an inbox has been read, whether or not there was a row.
pub(super) async fn put(tx: &Tx, row: inbox_syncs::Model) -> Result<()> {
    let key = [inbox_syncs::Column::AccountId, inbox_syncs::Column::Site];
    let is_of_key = |column: &inbox_syncs::Column| {
        matches!(column, inbox_syncs::Column::AccountId | inbox_syncs::Column::Site)
    };
    let others = inbox_syncs::Column::iter().filter(|column| !is_of_key(column));
    let replace = OnConflict::columns(key).update_columns(others).to_owned();
    inbox_syncs::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// What is said of a reading whose account became another one meanwhile.
pub fn moved() -> Error {
    Error::rejected(
        Reason::ResourceChanged,
        "the account was moved, or became another member, while its inbox was read",
    )
}
