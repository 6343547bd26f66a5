//! The worker's steps of a reading of an account's inbox: begin, select the changed conversations, store each, end.
//!
//! Each writing step is a transaction that first checks its claim. The watermark moves only at the end, and only if
//! everything was stored. A reading that was killed therefore starts again. It skips conversations that are already
//! stored, because their inbox rows are equal.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, Iterable as _, PaginatorTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::{AccountContext, Conversation, InboxRow};

use super::{Freshness, Stored, store_in, turns};
use crate::accounts::{self, Account, AccountState};
use crate::clock::Millis;
use crate::events::Ephemeral;
use crate::jobs::{self, Answer, Claim, Outcome};
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, inbox_syncs, threads};
use crate::{Context, Error, Reason, Result};

/// The interval at which all pages are read, to find changes that the newest pages did not show.
const FULL_EVERY: Millis = 24 * 60 * 60 * 1000;

/// A reading in progress.
#[derive(Clone, Debug)]
pub struct Begun {
    pub workspace_id: String,
    pub account_context: AccountContext,
    /// Everything that the site changed before this time is stored.
    pub watermark: Millis,
    /// Whether to read all pages.
    pub is_full: bool,
    /// Whether conversations are already stored. If so, an empty inbox is not accepted as a complete answer.
    pub has_threads: bool,
    begin_time: Millis,
    member_id: Option<String>,
}

/// The result of a reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The number of requests sent to the site.
    pub requests: i64,
    pub new_threads: i64,
    /// The number of new messages in threads that were stored before.
    pub new_messages: i64,
}

/// The end of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that the site changed before this time is stored. Absent: the site stated no times.
    Complete { watermark: Option<Millis> },
    /// Something could not be read.
    Late { reason: Reason, message: String },
}

/// Begins a reading. `None`: no request may be sent now; the reason is recorded and the claim is released.
pub async fn begin(context: &Context, claim: &Claim) -> Result<Option<Begun>> {
    let account_id = claim.job.account_id.clone().unwrap_or_default();
    let reader = context.store.reader();
    let account = account_rows::Entity::find_by_id(&account_id).one(reader).await?;
    let now = context.store.now().await?;
    let refused = match &account {
        Some(account) if account.delete_time.is_none() => refused(context, claim, account, now),
        _ => Some((Reason::NotFound, "the account was removed".to_owned())),
    };
    if let Some((reason, message)) = refused {
        let late = Ended::Late { reason, message };
        end(context, claim, None, &Counts::default(), late).await?;
        return Ok(None);
    }
    let Some(account) = account else { return Ok(None) };
    let key = (account.id.clone(), account.site.clone());
    let progress = inbox_syncs::Entity::find_by_id(key).one(reader).await?;
    // If the member has changed, the stored progress belongs to another member's inbox.
    let progress = progress.filter(|progress| progress.member_id == account.member_id);
    let progress = progress.unwrap_or_else(|| turns::beginning(&account));
    let known = threads::Entity::find()
        .filter(threads::Column::AccountId.eq(account.id.as_str()))
        .filter(threads::Column::Site.eq(account.site.as_str()))
        .count(reader)
        .await?;
    Ok(Some(Begun {
        workspace_id: account.workspace_id.clone(),
        member_id: account.member_id.clone(),
        watermark: progress.watermark,
        is_full: progress.full_time.is_none_or(|time| time + FULL_EVERY <= now),
        has_threads: known > 0 && progress.last_read_time.is_some(),
        begin_time: now,
        account_context: accounts::account_context(&Account::from(account)),
    }))
}

/// Returns the reason for which no request may be sent to the account's site.
fn refused(
    context: &Context,
    claim: &Claim,
    account: &account_rows::Model,
    now: Millis,
) -> Option<(Reason, String)> {
    if account.state == AccountState::Paused {
        let message = "the account is paused; check its pause reason, then call ResumeAccount";
        return Some((Reason::AccountPaused, message.to_owned()));
    }
    if account.cooldown_until.is_some_and(|until| until > now) {
        let message = "the site reported too many requests; the inbox is read after the cooldown";
        return Some((Reason::ChallengeRateLimit, message.to_owned()));
    }
    if claim.job.claims > context.settings.jobs.max_claims {
        let message =
            "gave up: too many attempts ended with their worker; the next scheduled run tries again";
        return Some((Reason::AttemptsExhausted, message.to_owned()));
    }
    None
}

/// Returns for each inbox row whether it differs from the stored row of its conversation.
pub async fn changed(context: &Context, begun: &Begun, rows: &[InboxRow]) -> Result<Vec<bool>> {
    let ids = rows
        .iter()
        .map(|row| super::entry::storable(&row.conversation_id));
    let known = threads::Entity::find()
        .filter(threads::Column::AccountId.eq(begun.account_context.account_id.as_str()))
        .filter(threads::Column::Site.eq(begun.account_context.site.as_str()))
        .filter(threads::Column::RemoteId.is_in(ids))
        .all(context.store.reader())
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

/// Stores a conversation that was read because of its inbox row. `None`: the account's site or member has changed, or
/// the account was deleted.
pub async fn store(
    context: &Context,
    claim: &Claim,
    begun: &Begun,
    row: &InboxRow,
    site_time: Option<Millis>,
    conversation: &Conversation,
) -> Result<Option<Stored>> {
    let (claim, begun) = (claim.clone(), begun.clone());
    let (row, conversation) = (row.clone(), conversation.clone());
    context
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

/// Loads and locks the account, if its site and member are the same as when the reading began.
pub(super) async fn same_account(tx: &Tx, begun: &Begun) -> Result<Option<account_rows::Model>> {
    let account = tx
        .locked(account_rows::Entity::find_by_id(
            &begun.account_context.account_id,
        ))
        .one(tx)
        .await?;
    Ok(account.filter(|account| {
        account.delete_time.is_none()
            && account.site == begun.account_context.site
            && account.member_id == begun.member_id
    }))
}

/// Ends a reading: records the freshness, answers waiting callers, releases the claim and notifies watchers.
pub async fn end(
    context: &Context,
    claim: &Claim,
    begun: Option<&Begun>,
    counts: &Counts,
    ended: Ended,
) -> Result<()> {
    let (context_, claim, begun) = (context.clone(), claim.clone(), begun.cloned());
    let (counts, ended) = (counts.clone(), ended);
    let freshness = context
        .store
        .write(move |tx| {
            let (context, claim, begun) = (context_.clone(), claim.clone(), begun.clone());
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
                let freshness = match account {
                    Some(account) => record(tx, account, begun.as_ref(), &ended).await?,
                    None => None,
                };
                jobs::note(tx, &claim.job.id, &counts).await?;
                let answer = match ended {
                    Ended::Complete { .. } => Answer::Done,
                    Ended::Late { reason, message } => Answer::refused(reason, message),
                };
                jobs::answer(tx, &claim.job.id, &answer).await?;
                let backoff = context.settings.backoff();
                claim.finish(tx, &Outcome::Done, &backoff).await?;
                Ok(freshness)
            }
            .boxed()
        })
        .await?;
    if let Some((workspace_id, account_id, freshness)) = freshness {
        let ephemeral = Ephemeral::InboxFreshness {
            account_id,
            freshness,
        };
        context.feed.tell(&workspace_id, ephemeral);
    }
    Ok(())
}

async fn record(
    tx: &Tx,
    account: account_rows::Model,
    begun: Option<&Begun>,
    ended: &Ended,
) -> Result<Option<(String, String, Freshness)>> {
    if begun.is_some_and(|begun| {
        begun.account_context.site != account.site || begun.member_id != account.member_id
    }) {
        // The account has moved to another site or member; the reading does not describe its present inbox.
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
    Ok(Some((
        account.workspace_id,
        account.id,
        Freshness::from(progress),
    )))
}

/// Inserts or replaces the sync progress of an inbox.
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

/// Returns the error of a reading during which the account changed its site or member.
pub fn moved() -> Error {
    Error::rejected(
        Reason::ResourceChanged,
        "the account's site or member changed while its inbox was read",
    )
}
