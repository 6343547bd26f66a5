//! `ImportSession`: seals a person's session as a candidate. The worker tries it on the site, and it replaces the
//! current session only if it works.

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use vintedbot_marketplace::cookies::{self as brought, Brought, Rules};
use vintedbot_marketplace::{AccountContext, CANDIDATE, Member, Session};
use zeroize::Zeroizing;

use super::{clear_session_pause, joined, locked_account, locked_row, open, put, save_with, seal};
use crate::accounts::account::load;
use crate::accounts::open;
use crate::accounts::{Account, SessionSlot, SessionState, account_context, connection};
use crate::clock::{Millis, rfc3339};
use crate::events::{Kind, PendingEvent};
use crate::identity::Caller;
use crate::jobs::{self, Answer, Claim, NewJob, Outcome};
use crate::keys::sha256_hex;
use crate::store::entities::{accounts as account_rows, jobs as job_rows, sessions};
use crate::store::{OfWorkspace, Tx};
use crate::{Context, Error, Reason, Result, Violation, publishing, requests};

const METHOD: &str = "ImportSession";
const USER_AGENT_MAX: usize = 512;
const HOUR: Millis = 3_600_000;

/// The source of the cookies. Both read every format; the text itself shows which one it is.
#[derive(Clone)]
pub enum SessionSource {
    /// What a person copied from the browser's developer tools.
    CookieHeader(Zeroizing<String>),
    /// What a browser, an extension or a tool exported.
    BrowserExport(Zeroizing<String>),
}

impl SessionSource {
    fn text(&self) -> &str {
        let (Self::CookieHeader(text) | Self::BrowserExport(text)) = self;
        text
    }

    /// Returns the hash that replaces the cookies in the stored parameters of the call.
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

/// The parameters of a session import.
#[derive(Clone, Debug)]
pub struct ImportSession {
    pub account_id: String,
    pub source: SessionSource,
    /// The user agent of the browser that the session comes from; 1 to 512 characters.
    pub user_agent: String,
    /// The time from which the session is no longer used. Absent: no limit.
    pub expire_time: Option<Millis>,
    /// Whether a session of a different member than before is accepted.
    pub accept_other_member: bool,
    pub request_id: Option<String>,
}

/// The result of a successful import.
#[derive(Clone, Debug)]
pub struct Imported {
    pub account: Account,
    /// Names of cookies that were dropped.
    pub dropped: Vec<String>,
    /// Names of usual cookies that were not supplied.
    pub missing: Vec<String>,
}

/// The parameters that identify a call with the same `request_id`.
#[derive(Serialize)]
struct Parameters<'a> {
    account_id: &'a str,
    source: String,
    user_agent: &'a str,
    expire_time: Option<Millis>,
    accept_other_member: bool,
}

/// The payload of the job that tries a candidate.
#[derive(Clone, Serialize, Deserialize)]
struct CandidateNote {
    dropped: Vec<String>,
    missing: Vec<String>,
    accept_other_member: bool,
}

/// Imports a session and waits until the worker has tried it. The wait ends when the caller drops the future.
///
/// # Errors
/// - Of the request: violations, MESSAGE_TOO_LARGE, SESSION_COOKIES_MISSING, SESSION_WRONG_MARKET, RATE_LIMITED.
/// - Of the trial: SESSION_INVALID, SESSION_MEMBER_MISMATCH, OUTCOME_UNKNOWN, SITE_UNAVAILABLE, or a reason that begins
///   with CHALLENGE.
/// - RESOURCE_CHANGED if another import replaced this one, or the account moved to another site or was deleted.
pub async fn import_session(context: &Context, caller: &Caller, import: ImportSession) -> Result<Imported> {
    let account = crate::accounts::get(context, caller, &import.account_id).await?;
    check(&import, context.store.now().await?)?;
    let taken = Rules::embedded()
        .take(import.source.text(), account.site_market()?)
        .map_err(|error| refusal(error, &import, &account))?;
    let (context_, caller_, import) = (context.clone(), caller.clone(), std::sync::Arc::new(import));
    let account_id = account.id;
    let taken = std::sync::Arc::new(taken);
    let site = account.site;
    let job_id = context
        .store
        .write(move |tx| {
            let (context, caller) = (context_.clone(), caller_.clone());
            let (import, taken, site) = (import.clone(), taken.clone(), site.clone());
            async move { begin(tx, &context, &caller, &import, &taken, &site).await }.boxed()
        })
        .await?;
    let job = jobs::answer_of(&context.store, &job_id).await?;
    let note = job.and_then(|job| serde_json::from_str::<CandidateNote>(&job.payload).ok());
    Ok(Imported {
        account: crate::accounts::get(context, caller, &account_id).await?,
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
            format!("must be the same browser's User-Agent header: 1 to {USER_AGENT_MAX} printable ASCII characters"),
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
    context: &Context,
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
    let (workspace_id, request_id) = (caller.workspace_id.as_str(), import.request_id.as_deref());
    if let Some(job_id) = requests::check(tx, workspace_id, request_id, METHOD, &parameters).await? {
        return Ok(job_id);
    }
    let account = load(tx, workspace_id, &import.account_id).await?;
    if account.site != site {
        return Err(moved());
    }
    let now = tx.now().await?;
    limit(tx, context, workspace_id, now).await?;
    let new = NewJob {
        kind: jobs::Kind::ImportSession,
        workspace_id: Some(workspace_id.to_owned()),
        account_id: Some(account.id.clone()),
        subject_id: account.id.clone(),
        due_time: now,
        unique_key: None,
    };
    let job_id = jobs::enqueue(tx, new).await?;
    let note = CandidateNote {
        dropped: taken.dropped.clone(),
        missing: taken.missing_usual.clone(),
        accept_other_member: import.accept_other_member,
    };
    jobs::note(tx, &job_id, &note).await?;
    let row = sessions::Model {
        account_id: account.id,
        site: account.site,
        slot: SessionSlot::Candidate,
        workspace_id: workspace_id.to_owned(),
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
        &context.keys,
        &*context.ids,
        &row,
        &taken.cookies,
        &import.user_agent,
    )?;
    // A candidate that is still being tried is replaced: the latest import counts.
    put(tx, sessions::Model { sealed, ..row }).await?;
    requests::remember(tx, workspace_id, request_id, METHOD, &parameters, &job_id).await?;
    Ok(job_id)
}

/// Enforces the setting `limits.imports_per_hour`.
async fn limit(tx: &Tx, context: &Context, workspace_id: &str, now: Millis) -> Result<()> {
    let most = context.settings.limits.imports_per_hour;
    let times: Vec<Millis> = job_rows::Entity::find()
        .select_only()
        .column(job_rows::Column::CreateTime)
        .of_workspace(workspace_id)
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
            let message = format!("the limit of {most} session imports an hour is reached; try again later");
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
        "the account was moved to another site during the call; call again",
    )
}

/// A candidate session with its account context.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub account_context: AccountContext,
    pub session: Session,
}

/// Loads the candidate session of an import job. `None`: a later import replaced it, or its account was moved or
/// deleted.
pub async fn candidate(context: &Context, claim: &Claim) -> Result<Option<Candidate>> {
    let account_id = claim.job.account_id.as_deref().unwrap_or_default();
    let reader = context.store.reader();
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
        session: open(&context.keys, &row)?,
        account_context: account_context(&Account::from(account)),
    }))
}

/// The result of trying a candidate.
#[derive(Clone, Debug)]
pub enum Tried {
    Works(Member),
    Refused(Answer),
}

/// Records the result of trying a candidate, stores the answer for waiting callers, and ends the job. Returns true if
/// the candidate is now the current session.
pub async fn settle_import(context: &Context, claim: &Claim, tried: Tried) -> Result<bool> {
    let (context_, claim) = (context.clone(), claim.clone());
    context
        .store
        .write(move |tx| {
            let (context, claim, tried) = (context_.clone(), claim.clone(), tried.clone());
            async move {
                let account_id = claim.job.account_id.clone().unwrap_or_default();
                let account = locked_account(tx, &account_id).await?;
                claim.require_held(tx).await?;
                let answer = settle(tx, &context, &claim, account, tried).await?;
                let is_transient = matches!(
                    &answer,
                    Answer::Refused {
                        reason: Reason::SiteUnavailable | Reason::ResourceChanged,
                        ..
                    }
                );
                if is_transient {
                    // The failure is transient, so a repeated call with the same request_id starts a new import.
                    requests::forget(tx, std::slice::from_ref(&claim.job.id)).await?;
                }
                jobs::answer(tx, &claim.job.id, &answer).await?;
                claim
                    .finish(tx, &Outcome::Done, &context.settings.backoff())
                    .await?;
                Ok(answer == Answer::Done)
            }
            .boxed()
        })
        .await
}

async fn settle(
    tx: &Tx,
    context: &Context,
    claim: &Claim,
    account: Option<account_rows::Model>,
    tried: Tried,
) -> Result<Answer> {
    let replaced = || {
        Answer::refused(
            Reason::ResourceChanged,
            "another import replaced this one, or the account was moved or deleted",
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
    let note: CandidateNote = serde_json::from_str(&claim.job.payload)?;
    let is_other = account.member_id.as_ref().is_some_and(|id| *id != member.id);
    if is_other && !note.accept_other_member {
        let message = format!(
            "the session belongs to {}, but the account belongs to {}; set accept_other_member to accept it",
            member.login,
            account.member_login.as_deref().unwrap_or("another member")
        );
        return Ok(Answer::refused(Reason::SessionMemberMismatch, message)
            .with("member_id", &member.id)
            .with("member_login", &member.login));
    }
    if is_other {
        // Approvals count only for the previous member, and an effect in doubt can be read only as that member.
        if publishing::is_in_doubt(tx, &account.id).await? {
            return Ok(Answer::refused(
                Reason::OutcomeUnknown,
                "an effect of the previous member is still in doubt; resolve it, then import again",
            ));
        }
        open::cancel(
            tx,
            &account.id,
            Reason::SessionMemberMismatch,
            connection::OTHER_MEMBER,
        )
        .await?;
    }
    promote(tx, context, account, row, member).await?;
    Ok(Answer::Done)
}

/// Replaces the current session with a candidate, even during a refresh of the current session: a person's import wins.
async fn promote(
    tx: &Tx,
    context: &Context,
    account: account_rows::Model,
    candidate: sessions::Model,
    member: Member,
) -> Result<()> {
    let session = open(&context.keys, &candidate)?;
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
            &context.keys,
            &*context.ids,
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
    let (account, is_resumed) = clear_session_pause(account);
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
