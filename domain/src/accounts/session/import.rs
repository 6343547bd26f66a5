//! `ImportSession`: what a person brings is sealed as a candidate, tried on the site by the worker, and takes the place of
//! the session in use only when it works.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::cookies::{self as brought, Brought, Rules, Source};
use vintedbot_marketplace::{CANDIDATE, Member, Seat, Session};
use zeroize::Zeroizing;

use super::{joined, locked_account, locked_row, open, put, save_with, seal, without_its_pause};
use crate::accounts::account::load;
use crate::accounts::open;
use crate::accounts::{Account, SessionSlot, SessionState, connection, seat};
use crate::clock::{Millis, rfc3339};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::jobs::{self, Answer, Claim, NewJob, Outcome};
use crate::keys::sha256_hex;
use crate::store::Tx;
use crate::store::entities::{accounts as account_rows, jobs as job_rows, sessions};
use crate::{Domain, Error, Reason, Result, Violation, publishing, requests};

const METHOD: &str = "ImportSession";
const USER_AGENT_MAX: usize = 512;
const HOUR: Millis = 3_600_000;

/// Where the cookies come from.
#[derive(Clone)]
pub enum SessionSource {
    /// The value of a `Cookie` header.
    CookieHeader(Zeroizing<String>),
    /// A browser's export, as JSON.
    BrowserExport(Zeroizing<String>),
}

impl SessionSource {
    fn as_brought(&self) -> Source<'_> {
        match self {
            Self::CookieHeader(text) => Source::Header(text),
            Self::BrowserExport(text) => Source::Export(text),
        }
    }

    /// What stands for it in the memory of calls, so that the cookies themselves stand nowhere.
    fn digest(&self) -> String {
        match self {
            Self::CookieHeader(text) => format!("header {}", sha256_hex(text.as_bytes())),
            Self::BrowserExport(text) => format!("export {}", sha256_hex(text.as_bytes())),
        }
    }

    fn field(&self) -> &'static str {
        match self {
            Self::CookieHeader(_) => "cookie_header",
            Self::BrowserExport(_) => "browser_export",
        }
    }
}

impl std::fmt::Debug for SessionSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.field())
    }
}

/// A session that a person brings.
#[derive(Clone, Debug)]
pub struct ImportSession {
    pub account_id: String,
    pub source: SessionSource,
    /// Of the browser that it comes from; 1 to 512 characters.
    pub user_agent: String,
    /// From when on it is not to be used any more.
    pub expire_time: Option<Millis>,
    /// Whether a session of another member than before is taken.
    pub accept_other_member: bool,
    pub request_id: Option<String>,
}

/// What came of an import that worked.
#[derive(Clone, Debug)]
pub struct Imported {
    pub account: Account,
    /// Names of cookies that were left out.
    pub dropped: Vec<String>,
    /// Names of cookies that are usually there and were not given.
    pub missing: Vec<String>,
}

/// What identifies a call, besides its id.
#[derive(Serialize)]
struct Parameters<'a> {
    account_id: &'a str,
    source: String,
    user_agent: &'a str,
    expire_time: Option<Millis>,
    accept_other_member: bool,
}

/// What the job that tries a candidate has to know besides it.
#[derive(Clone, Serialize, Deserialize)]
struct Note {
    dropped: Vec<String>,
    missing: Vec<String>,
    accept_other_member: bool,
}

/// Takes a session that works, and waits until that is known: as long as the caller does.
///
/// # Errors
/// Violations; MESSAGE_TOO_LARGE, SESSION_COOKIES_MISSING, SESSION_WRONG_MARKET, RATE_LIMITED; what the site made of it:
/// SESSION_INVALID, SESSION_OTHER_MEMBER, SITE_UNAVAILABLE or a reason that begins with CHALLENGE; RESOURCE_CHANGED where
/// another import or a move of the account came in between.
pub async fn import_session(domain: &Domain, caller: &Caller, import: ImportSession) -> Result<Imported> {
    let account = crate::accounts::get(domain, caller, &import.account_id).await?;
    check(&import, domain.store.now().await?)?;
    let taken = Rules::embedded()
        .take(&import.source.as_brought(), account.site_market()?)
        .map_err(|error| refusal(error, &import, &account))?;
    let (domain_, caller_, import) = (domain.clone(), caller.clone(), std::sync::Arc::new(import));
    let account_id = account.id;
    let taken = std::sync::Arc::new(taken);
    let site = account.site;
    let job_id = domain
        .store
        .write(move |tx| {
            let (domain, caller) = (domain_.clone(), caller_.clone());
            let (import, taken, site) = (import.clone(), taken.clone(), site.clone());
            async move { begin(tx, &domain, &caller, &import, &taken, &site).await }.boxed()
        })
        .await?;
    let job = jobs::answer_of(&domain.store, &job_id).await?;
    let note = job.and_then(|job| serde_json::from_str::<Note>(&job.payload).ok());
    Ok(Imported {
        account: crate::accounts::get(domain, caller, &account_id).await?,
        dropped: note.as_ref().map(|note| note.dropped.clone()).unwrap_or_default(),
        missing: note.map(|note| note.missing).unwrap_or_default(),
    })
}

fn check(import: &ImportSession, now: Millis) -> Result<()> {
    let mut violations = Vec::new();
    let agent = &import.user_agent;
    let is_plain = agent.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if !(1..=USER_AGENT_MAX).contains(&agent.len()) || !is_plain || agent.trim() != agent {
        violations.push(Violation::new(
            "user_agent",
            format!("must be the header of the same browser: 1 to {USER_AGENT_MAX} plain characters"),
        ));
    }
    if import.expire_time.is_some_and(|time| time <= now) {
        violations.push(Violation::new("expire_time", "must be in the future"));
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(violations))
    }
}

fn refusal(error: brought::Error, import: &ImportSession, account: &Account) -> Error {
    let message = error.to_string();
    match error {
        brought::Error::TooLarge { .. } => Error::rejected(Reason::MessageTooLarge, message)
            .with("max_bytes", brought::MAX_BYTES.to_string())
            .with("field", import.source.field()),
        brought::Error::Malformed(text) => Error::invalid(import.source.field(), text),
        brought::Error::Missing { missing, dropped } => {
            let message =
                format!("{message}; log in at the site and copy the whole Cookie header of a request to it");
            Error::rejected(Reason::SessionCookiesMissing, message)
                .with("missing", missing.join(","))
                .with("dropped", dropped.join(","))
        }
        brought::Error::OtherMarket { domains } => {
            let message = format!("{message}; this account is on {}", account.site);
            Error::rejected(Reason::SessionWrongMarket, message)
                .with("domains", domains.join(","))
                .with("site", &account.site)
        }
    }
}

async fn begin(
    tx: &Tx,
    domain: &Domain,
    caller: &Caller,
    import: &ImportSession,
    taken: &Brought,
    site: &str,
) -> Result<String> {
    let parameters = Parameters {
        account_id: &import.account_id,
        source: import.source.digest(),
        user_agent: &import.user_agent,
        expire_time: import.expire_time,
        accept_other_member: import.accept_other_member,
    };
    let (owner_id, request_id) = (caller.owner_id.as_str(), import.request_id.as_deref());
    if let Some(job_id) = requests::check(tx, owner_id, request_id, METHOD, &parameters).await? {
        return Ok(job_id);
    }
    let account = load(tx, owner_id, &import.account_id).await?;
    if account.site != site {
        return Err(moved());
    }
    let now = tx.now().await?;
    limit(tx, domain, owner_id, now).await?;
    let new = NewJob {
        kind: jobs::Kind::ImportSession,
        owner_id: Some(owner_id.to_owned()),
        account_id: Some(account.id.clone()),
        subject_id: account.id.clone(),
        due_time: now,
        unique_key: None,
    };
    let job_id = jobs::enqueue(tx, new).await?;
    let note = Note {
        dropped: taken.dropped.clone(),
        missing: taken.missing_usual.clone(),
        accept_other_member: import.accept_other_member,
    };
    jobs::note(tx, &job_id, &note).await?;
    let row = sessions::Model {
        account_id: account.id,
        site: account.site,
        slot: SessionSlot::Candidate,
        owner_id: owner_id.to_owned(),
        state: SessionState::Active,
        generation: CANDIDATE,
        sealed: String::new(),
        cookie_names: joined(&taken.cookies),
        member_id: None,
        member_login: None,
        reason: None,
        message: None,
        import_time: now,
        check_time: None,
        refresh_time: None,
        expire_time: import.expire_time,
        refresh_started: None,
        refresh_holder: None,
        retried: false,
        job_id: Some(job_id.clone()),
    };
    let sealed = seal(
        &domain.keys,
        &*domain.ids,
        &row,
        &taken.cookies,
        &import.user_agent,
    )?;
    // One that is still being tried is given up for it: the person's last word counts.
    put(tx, sessions::Model { sealed, ..row }).await?;
    requests::remember(tx, owner_id, request_id, METHOD, &parameters, &job_id).await?;
    Ok(job_id)
}

/// Refuses more imports in an hour than the setting says.
async fn limit(tx: &Tx, domain: &Domain, owner_id: &str, now: Millis) -> Result<()> {
    let most = domain.settings.imports_per_hour;
    let times: Vec<Millis> = job_rows::Entity::find()
        .select_only()
        .column(job_rows::Column::CreateTime)
        .filter(job_rows::Column::OwnerId.eq(owner_id))
        .filter(job_rows::Column::Kind.eq(jobs::Kind::ImportSession))
        .filter(job_rows::Column::CreateTime.gt(now - HOUR))
        .order_by_desc(job_rows::Column::CreateTime)
        .limit(most.unsigned_abs())
        .into_tuple()
        .all(tx)
        .await?;
    let is_full = i64::try_from(times.len()).is_ok_and(|made| made >= most);
    match times.last().filter(|_| is_full) {
        None => Ok(()),
        Some(oldest) => {
            let free = oldest + HOUR;
            let message = format!("{most} sessions an hour may be imported, and so many were");
            Err(Error::rejected(Reason::RateLimited, message)
                .with("limit", "imports_per_hour")
                .with("available_time", rfc3339(free))
                .retry_after(free - now))
        }
    }
}

fn moved() -> Error {
    Error::rejected(
        Reason::ResourceChanged,
        "the account was moved to another site at the same moment; call again",
    )
}

/// A session to be tried, and where.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub seat: Seat,
    pub session: Session,
}

/// What an import job is to try; `None` where that is gone: replaced by a later import, or its account moved or removed.
pub async fn candidate(domain: &Domain, claim: &Claim) -> Result<Option<Candidate>> {
    let account_id = claim.job.account_id.as_deref().unwrap_or_default();
    let reader = domain.store.reader();
    let account = account_rows::Entity::find_by_id(account_id).one(reader).await?;
    let Some(account) = account.filter(|account| account.delete_time.is_none()) else {
        return Ok(None);
    };
    let key = (account.id.clone(), account.site.clone(), SessionSlot::Candidate);
    let row = sessions::Entity::find_by_id(key).one(reader).await?;
    let Some(row) = row.filter(|row| row.job_id.as_deref() == Some(claim.job.id.as_str())) else {
        return Ok(None);
    };
    Ok(Some(Candidate {
        session: open(&domain.keys, &row)?,
        seat: seat(&Account::from(account)),
    }))
}

/// What came of trying a candidate.
#[derive(Clone, Debug)]
pub enum Tried {
    Works(Member),
    Refused(Answer),
}

/// Writes down what came of trying a candidate, answers whoever waits, and ends the job. `true`: it is the session in use.
pub async fn settle_import(domain: &Domain, claim: &Claim, tried: Tried) -> Result<bool> {
    let (domain_, claim) = (domain.clone(), claim.clone());
    domain
        .store
        .write(move |tx| {
            let (domain, claim, tried) = (domain_.clone(), claim.clone(), tried.clone());
            async move {
                let account_id = claim.job.account_id.clone().unwrap_or_default();
                let account = locked_account(tx, &account_id).await?;
                claim.require_held(tx).await?;
                let answer = settle(tx, &domain, &claim, account, tried).await?;
                let is_transient = matches!(
                    &answer,
                    Answer::Refused {
                        reason: Reason::SiteUnavailable | Reason::ResourceChanged,
                        ..
                    }
                );
                if is_transient {
                    // The same call may try again.
                    requests::forget(tx, std::slice::from_ref(&claim.job.id)).await?;
                }
                jobs::answer(tx, &claim.job.id, &answer).await?;
                claim
                    .finish(tx, &Outcome::Done, &domain.settings.back_off())
                    .await?;
                Ok(answer == Answer::Done)
            }
            .boxed()
        })
        .await
}

async fn settle(
    tx: &Tx,
    domain: &Domain,
    claim: &Claim,
    account: Option<account_rows::Model>,
    tried: Tried,
) -> Result<Answer> {
    let replaced = || {
        Answer::refused(
            Reason::ResourceChanged,
            "another import was made meanwhile, or the account was moved or removed",
        )
    };
    let Some(account) = account else {
        return Ok(replaced());
    };
    let row = locked_row(tx, &account.id, &account.site, SessionSlot::Candidate).await?;
    let Some(row) = row.filter(|row| row.job_id.as_deref() == Some(claim.job.id.as_str())) else {
        return Ok(replaced());
    };
    let key = (row.account_id.clone(), row.site.clone(), SessionSlot::Candidate);
    sessions::Entity::delete_by_id(key).exec(tx).await?;
    let member = match tried {
        Tried::Works(member) => member,
        Tried::Refused(answer) => return Ok(answer),
    };
    let note: Note = serde_json::from_str(&claim.job.payload)?;
    let is_other = account.member_id.as_ref().is_some_and(|id| *id != member.id);
    if is_other && !note.accept_other_member {
        let message = format!(
            "the session is {}'s, and the account has been {}'s; set accept_other_member if that is meant",
            member.login,
            account.member_login.as_deref().unwrap_or("another member")
        );
        return Ok(Answer::refused(Reason::SessionOtherMember, message)
            .with("member_id", &member.id)
            .with("member_login", &member.login));
    }
    if is_other {
        // What was approved was approved for the other one; what may be done already has to be read as that one.
        if publishing::is_undecided(tx, &account.id).await? {
            return Ok(Answer::refused(
                Reason::OutcomeUnknown,
                "a click made as the member of before is undecided; it comes first: resolve it, then import again",
            ));
        }
        open::cancel(
            tx,
            &account.id,
            Reason::SessionOtherMember,
            connection::OTHER_MEMBER,
        )
        .await?;
    }
    promote(tx, domain, account, row, member).await?;
    Ok(Answer::Done)
}

/// Puts a candidate in the place of the session in use, whatever that is doing: a person's import wins.
async fn promote(
    tx: &Tx,
    domain: &Domain,
    account: account_rows::Model,
    candidate: sessions::Model,
    member: Member,
) -> Result<()> {
    let session = open(&domain.keys, &candidate)?;
    let before = locked_row(tx, &account.id, &account.site, SessionSlot::Current).await?;
    let row = sessions::Model {
        slot: SessionSlot::Current,
        generation: before.map_or(CANDIDATE, |row| row.generation) + 1,
        sealed: String::new(),
        member_id: Some(member.id.clone()),
        member_login: Some(member.login.clone()),
        check_time: Some(tx.now().await?),
        refresh_started: None,
        refresh_holder: None,
        retried: false,
        job_id: None,
        ..candidate
    };
    let row = sessions::Model {
        sealed: seal(
            &domain.keys,
            &*domain.ids,
            &row,
            &session.cookies,
            &session.user_agent,
        )?,
        ..row
    };
    let account = account_rows::Model {
        member_id: Some(member.id),
        member_login: Some(member.login),
        ..account
    };
    let (account, is_resumed) = without_its_pause(account);
    connection::queue(tx, &account).await?;
    let shown = account_rows::Model {
        session: super::shown(&account, &row)?,
        ..account.clone()
    };
    save_with(tx, account, row, Kind::AccountSessionImported).await?;
    if is_resumed {
        let account_id = shown.id.clone();
        tx.emit(PendingEvent::changed(
            Kind::AccountResumed,
            &Account::from(shown),
        )?);
        open::wake(tx, &account_id).await?;
    }
    Ok(())
}
