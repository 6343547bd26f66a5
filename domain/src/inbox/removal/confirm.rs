//! `PrepareThreadRemoval` shows the thread and issues a confirm token; `ConfirmThreadRemoval` consumes the token and
//! queues the removal.

use futures::FutureExt;
use sea_orm::EntityTrait;

use super::{RemovalState, content_hash, refuse_open, set, work_key};
use crate::accounts::{self, Account};
use crate::clock::{Millis, rfc3339};
use crate::identity::Caller;
use crate::inbox::open::refuse_open_replies;
use crate::inbox::replies::may_act_on;
use crate::inbox::{Thread, get, row};
use crate::keys::{Keys, Purpose, sha256_hex};
use crate::store::entities::{accounts as account_rows, replies, threads};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, jobs, requests};

const METHOD: &str = "ConfirmThreadRemoval";

/// A thread with the token that confirms its removal.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub thread: Thread,
    pub token: String,
    pub expire_time: Millis,
    /// The hash of the content that the token confirms.
    pub content_hash: String,
}

/// The parameters of `ConfirmThreadRemoval`.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub id: String,
    pub token: String,
    pub dry_run: bool,
    pub request_id: Option<String>,
}

/// Returns a thread with the token that confirms its removal on the site. Changes nothing.
///
/// # Errors
/// NOT_FOUND, REPLY_OPEN, THREAD_REMOVAL_OPEN, ACCOUNT_PAUSED, MODE_CHANGED, SESSION_REQUIRED, SESSION_INVALID.
pub async fn prepare(context: &Context, caller: &Caller, id: &str) -> Result<Prepared> {
    let (context_, workspace_id, thread_id) = (context.clone(), caller.workspace_id.clone(), id.to_owned());
    let (token, expire_time, content_hash) = context
        .store
        .write(move |tx| {
            let (context, workspace_id, id) = (context_.clone(), workspace_id.clone(), thread_id.clone());
            async move {
                let row = removable(tx, &workspace_id, &id).await?;
                let claims = Claims {
                    content_hash: content_hash(tx, &row).await?,
                    number: row.removal_number + 1,
                    expire_time: tx.now().await? + context.settings.confirm_token_ms,
                };
                let token = context.keys.sign(Purpose::Confirmation, &claims.text(&row));
                Ok((token, claims.expire_time, claims.content_hash))
            }
            .boxed()
        })
        .await?;
    Ok(Prepared {
        thread: get(context, caller, id).await?,
        token,
        expire_time,
        content_hash,
    })
}

/// Queues the removal of a thread on the site. With `dry_run`, all checks run and nothing changes. The same
/// `request_id` returns the same result.
///
/// # Errors
/// Those of [`prepare`], CONFIRMATION_REQUIRED, CONFIRMATION_INVALID, CONFIRMATION_EXPIRED, CONFIRMATION_USED;
/// CONFIRMATION_STALE if the thread has changed since the token was issued.
pub async fn confirm(context: &Context, caller: &Caller, confirm: Confirm) -> Result<Thread> {
    let (context_, workspace_id, id) = (context.clone(), caller.workspace_id.clone(), confirm.id.clone());
    context
        .store
        .write(move |tx| {
            let (context, workspace_id, confirm) = (context_.clone(), workspace_id.clone(), confirm.clone());
            async move { run(tx, &context, &workspace_id, &confirm).await }.boxed()
        })
        .await?;
    get(context, caller, &id).await
}

async fn run(tx: &Tx, context: &Context, workspace_id: &str, confirm: &Confirm) -> Result<()> {
    let request_id = confirm.request_id.as_deref().filter(|_| !confirm.dry_run);
    let parameters = (&confirm.id, sha256_hex(&confirm.token));
    let known = requests::check(tx, workspace_id, request_id, METHOD, &parameters).await?;
    if known.is_some() {
        return Ok(());
    }
    let given = given(&context.keys, &confirm.token)?;
    let found = find(tx, workspace_id, &confirm.id).await?;
    used(&given, &found)?;
    let row = removable(tx, workspace_id, &confirm.id).await?;
    let now = tx.now().await?;
    let claims = Claims::read(&given).filter(|claims| claims.text(&row) == given);
    let claims = claims.ok_or_else(invalid)?;
    if claims.expire_time <= now {
        return Err(Error::rejected(
            Reason::ConfirmationExpired,
            "the confirm token has expired; prepare the removal again",
        )
        .with("expire_time", rfc3339(claims.expire_time)));
    }
    if claims.content_hash != content_hash(tx, &row).await? {
        return Err(Error::rejected(
            Reason::ConfirmationStale,
            "the thread has changed since this token was issued; review it and prepare again",
        ));
    }
    if confirm.dry_run {
        return Ok(());
    }
    let row = threads::Model {
        removal_number: claims.number,
        removal_hash: Some(claims.content_hash),
        ..row
    };
    let row = set(tx, row, RemovalState::Queued, None).await?;
    queue(tx, &row, now).await?;
    requests::remember(tx, workspace_id, request_id, METHOD, &parameters, &row.id).await
}

async fn queue(tx: &Tx, row: &threads::Model, due: Millis) -> Result<()> {
    let work = jobs::NewJob {
        kind: jobs::Kind::RemoveThread,
        workspace_id: Some(row.workspace_id.clone()),
        account_id: Some(row.account_id.clone()),
        subject_id: row.id.clone(),
        due_time: due,
        unique_key: Some(work_key(&row.id)),
    };
    let id = jobs::enqueue(tx, work).await?;
    jobs::requeue(tx, &id, due).await
}

async fn find(tx: &Tx, workspace_id: &str, id: &str) -> Result<threads::Model> {
    let found = threads::Entity::find_by_id(id).of_workspace(workspace_id);
    let found = found.one(tx).await?;
    found
        .filter(|row| row.delete_time.is_none())
        .ok_or_else(|| Error::not_found("thread", id))
}

/// Loads the caller's thread and locks its account and then the thread. Fails if it cannot be removed now.
async fn removable(tx: &Tx, workspace_id: &str, id: &str) -> Result<threads::Model> {
    let found = find(tx, workspace_id, id).await?;
    let account = tx
        .locked(account_rows::Entity::find_by_id(&found.account_id))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("account", &found.account_id))?;
    let (row, _) = row::load(tx, workspace_id, id).await?;
    may_act_on(&row.site, &account)?;
    accounts::require_session(&Account::from(account), tx.now().await?)?;
    refuse_open_replies(tx, replies::Column::ThreadId, id).await?;
    refuse_open(tx, threads::Column::Id, id).await?;
    Ok(row)
}

/// The signed content of a token, in addition to the ids.
struct Claims {
    content_hash: String,
    /// The number of the thread's removal. Each number can be confirmed once.
    number: i64,
    expire_time: Millis,
}

impl Claims {
    fn text(&self, row: &threads::Model) -> String {
        let parts = [
            "thread-removal",
            &row.workspace_id,
            &row.account_id,
            &row.site,
            &row.id,
            &self.content_hash,
            &self.number.to_string(),
            &self.expire_time.to_string(),
        ];
        parts.join("|")
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('|').skip(5);
        Some(Self {
            content_hash: parts.next()?.to_owned(),
            number: parts.next()?.parse().ok()?,
            expire_time: parts.next()?.parse().ok()?,
        })
    }
}

fn given(keys: &Keys, token: &str) -> Result<String> {
    if token.is_empty() {
        return Err(Error::rejected(
            Reason::ConfirmationRequired,
            "a confirm token is required; PrepareThreadRemoval shows it",
        ));
    }
    keys.verify(Purpose::Confirmation, token).ok_or_else(invalid)
}

fn invalid() -> Error {
    Error::rejected(
        Reason::ConfirmationInvalid,
        "the confirm token does not belong to this thread's removal",
    )
}

/// Rejects an invalid or used token before all other checks, so that a repeated call gets CONFIRMATION_USED.
fn used(given: &str, row: &threads::Model) -> Result<()> {
    let Some(claims) = Claims::read(given).filter(|claims| claims.text(row) == given) else {
        return Err(invalid());
    };
    if claims.number > row.removal_number {
        return Ok(());
    }
    Err(
        Error::rejected(Reason::ConfirmationUsed, "this confirmation was used already")
            .with("thread_id", &row.id),
    )
}
