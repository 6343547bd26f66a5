//! `PrepareThreadRemoval` shows what would go; `ConfirmThreadRemoval` consumes that proof by queueing the removal.

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
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, replies, threads};
use crate::{Domain, Error, Reason, Result, jobs, requests};

const METHOD: &str = "ConfirmThreadRemoval";

/// A thread whose removal may be confirmed.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub thread: Thread,
    pub token: String,
    pub expire_time: Millis,
    /// What the token approves.
    pub content_hash: String,
}

/// What is confirmed, and with which proof.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub id: String,
    pub token: String,
    pub dry_run: bool,
    pub request_id: Option<String>,
}

/// Shows a thread with the token that approves its removal on the site. Changes nothing.
///
/// # Errors
/// NOT_FOUND, REPLY_OPEN, THREAD_REMOVAL_OPEN, ACCOUNT_PAUSED, MODE_CHANGED, SESSION_REQUIRED, SESSION_INVALID.
pub async fn prepare(domain: &Domain, caller: &Caller, id: &str) -> Result<Prepared> {
    let (domain_, owner_id, thread_id) = (domain.clone(), caller.owner_id.clone(), id.to_owned());
    let (token, expire_time, content_hash) = domain
        .store
        .write(move |tx| {
            let (domain, owner_id, id) = (domain_.clone(), owner_id.clone(), thread_id.clone());
            async move {
                let row = removable(tx, &owner_id, &id).await?;
                let claims = Claims {
                    content_hash: content_hash(tx, &row).await?,
                    number: row.removal_number + 1,
                    expire_time: tx.now().await? + domain.settings.confirm_token_ms,
                };
                let token = domain.keys.sign(Purpose::Confirmation, &claims.text(&row));
                Ok((token, claims.expire_time, claims.content_hash))
            }
            .boxed()
        })
        .await?;
    Ok(Prepared {
        thread: get(domain, caller, id).await?,
        token,
        expire_time,
        content_hash,
    })
}

/// Has a thread removed on the site. With `dry_run` it makes every check and changes nothing. The same `request_id` gets
/// the same answer again.
///
/// # Errors
/// As [`prepare`], and CONFIRMATION_REQUIRED, CONFIRMATION_INVALID, CONFIRMATION_EXPIRED, CONFIRMATION_STALE where something
/// was written in the thread since, CONFIRMATION_USED.
pub async fn confirm(domain: &Domain, caller: &Caller, confirm: Confirm) -> Result<Thread> {
    let (domain_, owner_id, id) = (domain.clone(), caller.owner_id.clone(), confirm.id.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, owner_id, confirm) = (domain_.clone(), owner_id.clone(), confirm.clone());
            async move { run(tx, &domain, &owner_id, &confirm).await }.boxed()
        })
        .await?;
    get(domain, caller, &id).await
}

async fn run(tx: &Tx, domain: &Domain, owner_id: &str, confirm: &Confirm) -> Result<()> {
    let request_id = confirm.request_id.as_deref().filter(|_| !confirm.dry_run);
    let parameters = (&confirm.id, sha256_hex(&confirm.token));
    let known = requests::check(tx, owner_id, request_id, METHOD, &parameters).await?;
    if known.is_some() {
        return Ok(());
    }
    let given = given(&domain.keys, &confirm.token)?;
    let found = find(tx, owner_id, &confirm.id).await?;
    used(&given, &found)?;
    let row = removable(tx, owner_id, &confirm.id).await?;
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
            "something was written in the thread since this token was made; look at it again",
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
    requests::remember(tx, owner_id, request_id, METHOD, &parameters, &row.id).await
}

async fn queue(tx: &Tx, row: &threads::Model, due: Millis) -> Result<()> {
    let work = jobs::NewJob {
        kind: jobs::Kind::RemoveThread,
        owner_id: Some(row.owner_id.clone()),
        account_id: Some(row.account_id.clone()),
        subject_id: row.id.clone(),
        due_time: due,
        unique_key: Some(work_key(&row.id)),
    };
    let id = jobs::enqueue(tx, work).await?;
    jobs::requeue(tx, &id, due).await
}

async fn find(tx: &Tx, owner_id: &str, id: &str) -> Result<threads::Model> {
    let found = threads::Entity::find_by_id(id).one(tx).await?;
    found
        .filter(|row| row.owner_id == owner_id && row.delete_time.is_none())
        .ok_or_else(|| Error::not_found("thread", id))
}

/// The caller's thread, locked after its account, if it may be removed now.
async fn removable(tx: &Tx, owner_id: &str, id: &str) -> Result<threads::Model> {
    let found = find(tx, owner_id, id).await?;
    let account = tx
        .locked(account_rows::Entity::find_by_id(&found.account_id))
        .one(tx)
        .await?
        .ok_or_else(|| Error::not_found("account", &found.account_id))?;
    let (row, _) = row::load(tx, owner_id, id).await?;
    may_act_on(&row.site, &account)?;
    accounts::require_session(&Account::from(account), tx.now().await?)?;
    refuse_open_replies(tx, replies::Column::ThreadId, id).await?;
    refuse_open(tx, threads::Column::Id, id).await?;
    Ok(row)
}

/// What a token says of itself besides whose it is.
struct Claims {
    content_hash: String,
    /// Which removal of the thread it is for; each is confirmed once.
    number: i64,
    expire_time: Millis,
}

impl Claims {
    fn text(&self, row: &threads::Model) -> String {
        let parts = [
            "thread-removal",
            &row.owner_id,
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
        "the confirm token is not one for this thread's removal",
    )
}

/// Refuses a token of this thread that was used, before anything else that stands in the way.
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
