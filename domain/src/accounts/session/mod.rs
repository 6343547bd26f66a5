//! A member's stored session on the site: imported, tried, renewed, invalidated and forgotten.
//!
//! `import` stores a person's session and records the result of trying it. `check` asks the site whether it still
//! works. `forget` erases it. The connector renews sessions through `stored`.
//!
//! Stored cookies are always sealed. [`AccountSession`] is the public view. It is stored in the account's row, so that
//! the account, its events and its snapshots agree. Every write locks the account first, and a verdict applies only to
//! the generation for which it was reached.

mod check;
mod forget;
mod import;
mod stored;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Iterable as _};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::markets::PRACTICE;
use vintedbot_marketplace::{Cookies, LostSession, Session};
use zeroize::Zeroizing;

use super::account::save;
use super::{Account, AccountState, SessionSlot, SessionState};
use crate::clock::Millis;
use crate::events::Kind;
use crate::ids::Ids;
use crate::keys::{Keys, Record, Sealed};
use crate::store::Tx;
use crate::store::entities::{accounts, sessions};
use crate::{Error, Reason, Result};

pub use check::{check_session, checked, settle_check};
pub(super) use forget::forget_all;
pub use forget::forget_session;
pub use import::{
    Candidate, ImportSession, Imported, SessionSource, Tried, candidate, import_session, settle_import,
};
pub use stored::StoredSessions;

/// The public view of a session. It never contains a cookie's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSession {
    pub state: SessionState,
    /// Why the session is invalid. Absent: it is active.
    pub reason: Option<Reason>,
    pub message: Option<String>,
    pub member_id: String,
    pub member_login: String,
    /// Names of the stored cookies, in alphabetical order.
    pub cookie_names: Vec<String>,
    pub generation: i64,
    pub import_time: Millis,
    pub check_time: Option<Millis>,
    pub refresh_time: Option<Millis>,
    pub expire_time: Option<Millis>,
}

impl From<&sessions::Model> for AccountSession {
    fn from(row: &sessions::Model) -> Self {
        Self {
            state: row.state,
            reason: row.reason.as_deref().and_then(Reason::from_name),
            message: row.message.clone(),
            member_id: row.member_id.clone().unwrap_or_default(),
            member_login: row.member_login.clone().unwrap_or_default(),
            cookie_names: names(&row.cookie_names),
            generation: row.generation,
            import_time: row.import_time,
            check_time: row.check_time,
            refresh_time: row.refresh_time,
            expire_time: row.expire_time,
        }
    }
}

/// Checks that an account can be logged in on its site. The practice site does not require a session.
///
/// # Errors
/// SESSION_REQUIRED, SESSION_INVALID.
pub fn require_session(account: &Account, now: Millis) -> Result<()> {
    let refused =
        |reason, message: String| Err(Error::rejected(reason, message).with("account_id", &account.id));
    match &account.session {
        None if account.site == PRACTICE => Ok(()),
        None => {
            let message = format!(
                "account {} has no session on {}; import one with ImportSession",
                account.id, account.site
            );
            refused(Reason::SessionRequired, message)
        }
        Some(session) => {
            let is_over = session.expire_time.is_some_and(|time| time <= now);
            let why = match session.state {
                SessionState::Active if is_over => Some(sentence(LostSession::Expired).to_owned()),
                SessionState::Active => None,
                SessionState::Invalid => Some(session.message.clone().unwrap_or_default()),
            };
            why.map_or(Ok(()), |why| refused(Reason::SessionInvalid, why))
        }
    }
}

/// Returns the message for a session that is invalid.
fn sentence(why: LostSession) -> &'static str {
    match why {
        LostSession::Refused => {
            "The site no longer accepts the session. Log in with your own browser, then import the session again."
        }
        LostSession::LostInRefresh => {
            "The site's answer to the session's renewal was lost, and the site refuses the old session. Log in with your \
             own browser, then import the session again."
        }
        LostSession::Expired => {
            "The session has passed the expire_time that you set. Import it again to continue."
        }
    }
}

fn reason_of(why: LostSession) -> Reason {
    match why {
        LostSession::LostInRefresh => Reason::SessionLostInRefresh,
        LostSession::Refused | LostSession::Expired => Reason::SessionInvalid,
    }
}

/// Returns why an invalid session is invalid.
fn why_of(row: &sessions::Model) -> LostSession {
    if row.reason == Some(Reason::SessionLostInRefresh.name()) {
        LostSession::LostInRefresh
    } else if row.message.as_deref() == Some(sentence(LostSession::Expired)) {
        LostSession::Expired
    } else {
        LostSession::Refused
    }
}

/// Returns whether a pause with this reason ends when a working session is imported.
fn is_session_reason(reason: Option<&str>) -> bool {
    let reasons = [
        Reason::SessionInvalid,
        Reason::SessionLostInRefresh,
        Reason::SessionRequired,
        Reason::ChallengeLoginLost,
        Reason::ChallengeSessionRefresh,
    ];
    reason.is_some_and(|reason| reasons.iter().any(|each| each.name() == reason))
}

fn names(joined: &str) -> Vec<String> {
    let names = joined.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn joined(cookies: &Cookies) -> String {
    let names: Vec<&str> = cookies.iter().map(|(name, _)| name).collect();
    names.join(",")
}

/// The sealed content of a session.
#[derive(Serialize, Deserialize)]
struct Content {
    cookies: Cookies,
    user_agent: String,
}

/// Returns the record id that the seal of a session is bound to.
fn record_id(account_id: &str, site: &str, slot: SessionSlot) -> String {
    format!("{account_id}/{site}/{slot:?}")
}

fn seal(
    keys: &Keys,
    ids: &dyn Ids,
    row: &sessions::Model,
    cookies: &Cookies,
    user_agent: &str,
) -> Result<String> {
    let content = Content {
        cookies: cookies.clone(),
        user_agent: user_agent.to_owned(),
    };
    let text = Zeroizing::new(serde_json::to_vec(&content)?);
    let id = record_id(&row.account_id, &row.site, row.slot);
    let record = Record {
        purpose: Sealed::Session,
        workspace_id: &row.workspace_id,
        id: &id,
    };
    keys.seal(&record, &text, ids)
}

fn open(keys: &Keys, row: &sessions::Model) -> Result<Session> {
    let id = record_id(&row.account_id, &row.site, row.slot);
    let record = Record {
        purpose: Sealed::Session,
        workspace_id: &row.workspace_id,
        id: &id,
    };
    let opened = keys.open(&record, &row.sealed)?;
    let content: Content = serde_json::from_slice(opened.expose())
        .map_err(|_| Error::Internal("a sealed session cannot be read".to_owned()))?;
    Ok(Session {
        generation: row.generation,
        cookies: content.cookies,
        user_agent: content.user_agent,
    })
}

/// Loads and locks an account. `None`: it was deleted.
async fn locked_account(tx: &Tx, account_id: &str) -> Result<Option<accounts::Model>> {
    let row = tx
        .locked(accounts::Entity::find_by_id(account_id))
        .one(tx)
        .await?;
    Ok(row.filter(|row| row.delete_time.is_none()))
}

async fn locked_row(
    tx: &Tx,
    account_id: &str,
    site: &str,
    slot: SessionSlot,
) -> Result<Option<sessions::Model>> {
    let key = (account_id.to_owned(), site.to_owned(), slot);
    Ok(tx.locked(sessions::Entity::find_by_id(key)).one(tx).await?)
}

/// Inserts or replaces a session's row.
async fn put(tx: &Tx, row: sessions::Model) -> Result<()> {
    let key = [
        sessions::Column::AccountId,
        sessions::Column::Site,
        sessions::Column::Slot,
    ];
    let is_of_key = |column: &sessions::Column| {
        matches!(
            column,
            sessions::Column::AccountId | sessions::Column::Site | sessions::Column::Slot
        )
    };
    let others = sessions::Column::iter().filter(|column| !is_of_key(column));
    let replace = OnConflict::columns(key).update_columns(others).to_owned();
    sessions::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Returns the public view for the account's row: of this session if it is the current one on the account's site.
fn shown(account: &accounts::Model, row: &sessions::Model) -> Result<Option<String>> {
    if account.site == row.site && row.slot == SessionSlot::Current {
        Ok(Some(serde_json::to_string(&AccountSession::from(row))?))
    } else {
        Ok(account.session.clone())
    }
}

/// Returns an account after a move to another site, with the session and the member that are stored for that site.
pub(super) async fn moved(tx: &Tx, account: accounts::Model) -> Result<accounts::Model> {
    let row = locked_row(tx, &account.id, &account.site, SessionSlot::Current).await?;
    Ok(accounts::Model {
        session: row
            .as_ref()
            .map(|row| serde_json::to_string(&AccountSession::from(row)))
            .transpose()?,
        member_id: row.as_ref().and_then(|row| row.member_id.clone()),
        member_login: row.and_then(|row| row.member_login),
        ..account
    })
}

/// Writes the current session, and the account with its public view, and emits an event.
async fn save_with(tx: &Tx, account: accounts::Model, row: sessions::Model, kind: Kind) -> Result<()> {
    let account = accounts::Model {
        session: shown(&account, &row)?,
        ..account
    };
    put(tx, row).await?;
    save(tx, account, kind).await
}

/// Writes session and account without an event, because the freshness of a check is not a change of the account.
async fn save_quietly(tx: &Tx, account: accounts::Model, row: sessions::Model) -> Result<()> {
    let account = accounts::Model {
        session: shown(&account, &row)?,
        ..account
    };
    put(tx, row).await?;
    account.into_active_model().reset_all().update(tx).await?;
    Ok(())
}

/// Marks the current session as invalid and erases its sealed content. Pauses the account if the session is for its
/// site.
async fn invalidate(tx: &Tx, account: accounts::Model, row: sessions::Model, why: LostSession) -> Result<()> {
    let (reason, message) = (reason_of(why), sentence(why));
    let row = sessions::Model {
        state: SessionState::Invalid,
        reason: Some(reason.name()),
        message: Some(message.to_owned()),
        sealed: String::new(),
        refresh_started: None,
        refresh_holder: None,
        retried: false,
        ..row
    };
    let (account_id, is_here) = (account.id.clone(), account.site == row.site);
    save_with(tx, account, row, Kind::AccountSessionInvalidated).await?;
    if is_here {
        super::pause(tx, &account_id, reason, message, None).await?;
    }
    Ok(())
}

/// Ends a pause that the session caused. Returns whether the account was resumed.
fn clear_session_pause(account: accounts::Model) -> (accounts::Model, bool) {
    if account.state != AccountState::Paused || !is_session_reason(account.pause_reason.as_deref()) {
        return (account, false);
    }
    let account = accounts::Model {
        state: AccountState::Active,
        pause_reason: None,
        pause_message: None,
        pause_time: None,
        pause_publish_job_id: None,
        ..account
    };
    (account, true)
}
