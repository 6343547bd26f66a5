//! A member's session on the site, as it is kept here: imported by the person, tried on the site, renewed, found dead,
//! forgotten.
//!
//! `import` takes what a person brings and settles what came of trying it, `check` asks whether it still works, `forget`
//! erases it, `stored` is what the connector renews sessions through. Cookies are sealed whenever they rest; what others
//! see is [`AccountSession`], which stands on the account's own row, so that the account, its events and its snapshots
//! show the same. Every write locks the account first, and compares the generation that it was decided on.

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

/// What may be shown of a session: never a cookie's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSession {
    pub state: SessionState,
    /// Why it cannot be used.
    pub reason: Option<Reason>,
    pub message: Option<String>,
    pub member_id: String,
    pub member_login: String,
    /// In order.
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

/// Refuses what needs the site where the account cannot be logged in there: the practice site is entered without a
/// session, the real one is not.
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
                "account {} has no session on {}; bring one with ImportSession",
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

/// What a person is told of a session that is of no use.
fn sentence(why: LostSession) -> &'static str {
    match why {
        LostSession::Refused => {
            "The site does not take the session any more. Log in with your own browser, then import the session again."
        }
        LostSession::LostInRefresh => {
            "The site's answer to the session's renewal was lost, and what is left of it is refused. Log in with your own \
             browser, then import the session again."
        }
        LostSession::Expired => {
            "The session's time is over, as you set it. Import it again to go on with it."
        }
    }
}

fn reason_of(why: LostSession) -> Reason {
    match why {
        LostSession::LostInRefresh => Reason::SessionLostInRefresh,
        LostSession::Refused | LostSession::Expired => Reason::SessionInvalid,
    }
}

/// Why a session that is known to be of no use is.
fn why_of(row: &sessions::Model) -> LostSession {
    if row.reason == Some(Reason::SessionLostInRefresh.name()) {
        LostSession::LostInRefresh
    } else if row.message.as_deref() == Some(sentence(LostSession::Expired)) {
        LostSession::Expired
    } else {
        LostSession::Refused
    }
}

/// Pauses that end when a session is imported that works.
fn is_of_session(reason: Option<&str>) -> bool {
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

/// What is sealed of a session.
#[derive(Serialize, Deserialize)]
struct Content {
    cookies: Cookies,
    user_agent: String,
}

/// The name that a session's seal belongs to.
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
        owner_id: &row.owner_id,
        id: &id,
    };
    keys.seal(&record, &text, ids)
}

fn open(keys: &Keys, row: &sessions::Model) -> Result<Session> {
    let id = record_id(&row.account_id, &row.site, row.slot);
    let record = Record {
        purpose: Sealed::Session,
        owner_id: &row.owner_id,
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

/// The account, locked; `None` for one that is gone.
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

/// Writes a session's row, whether or not there was one.
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

/// What the account shows of a session on the site that it works on.
fn shown(account: &accounts::Model, row: &sessions::Model) -> Result<Option<String>> {
    if account.site == row.site && row.slot == SessionSlot::Current {
        Ok(Some(serde_json::to_string(&AccountSession::from(row))?))
    } else {
        Ok(account.session.clone())
    }
}

/// What an account shows after a move to another site, and who it is there as far as that is known.
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

/// Writes the session in use and, with an event, the account that shows it.
async fn save_with(tx: &Tx, account: accounts::Model, row: sessions::Model, kind: Kind) -> Result<()> {
    let account = accounts::Model {
        session: shown(&account, &row)?,
        ..account
    };
    put(tx, row).await?;
    save(tx, account, kind).await
}

/// Writes both without an event: how fresh something is, is no change of it.
async fn save_quietly(tx: &Tx, account: accounts::Model, row: sessions::Model) -> Result<()> {
    let account = accounts::Model {
        session: shown(&account, &row)?,
        ..account
    };
    put(tx, row).await?;
    account.into_active_model().reset_all().update(tx).await?;
    Ok(())
}

/// Writes down that a session in use is of none any more, and stops its account where that is the site it works on. What
/// was sealed is erased.
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

/// An account whose pause ends, if its cause was the session.
fn without_its_pause(account: accounts::Model) -> (accounts::Model, bool) {
    if account.state != AccountState::Paused || !is_of_session(account.pause_reason.as_deref()) {
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
