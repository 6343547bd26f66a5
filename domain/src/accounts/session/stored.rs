//! Stored sessions for the connector. A renewal is recorded as begun, under the account lock, before the request is
//! sent. Its tokens are stored before they are used. Therefore at most one request to renew a generation is under way,
//! and a renewal that a crash interrupted can be recognized.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use sea_orm::EntityTrait;
use vintedbot_marketplace::cookies::Rules;
use vintedbot_marketplace::{
    AccountContext, CANDIDATE, Cookies, Error as SiteError, LostSession, Renewal, Session, Sessions,
};

use super::{invalidate, joined, locked_account, locked_row, open, put, save_with, seal, why_of};
use crate::accounts::{AccountLock, SessionSlot, SessionState, acquire_lock};
use crate::clock::Millis;
use crate::events::Kind;
use crate::store::Tx;
use crate::store::entities::{accounts, sessions};
use crate::{Context, Error, Result};

/// The lease of an account lock that is acquired for a renewal, which takes at most eight seconds.
const LOCK_MS: Millis = 12_000;

/// The sessions of an instance.
pub struct StoredSessions {
    context: Context,
    /// Open renewals of this process.
    begun: Mutex<HashMap<Key, Begun>>,
}

/// A generation of a session: account, site, number.
type Key = (String, String, i64);

#[derive(Clone)]
struct Begun {
    /// The value of `refresh_holder` in the session's row.
    holder: String,
    /// The account lock, if it was acquired only for the renewal.
    own_lock: Option<AccountLock>,
}

/// The decision about a requested renewal.
enum Decided {
    Renewal(Renewal, Option<Begun>),
    NoSession,
    Lost(LostSession),
}

impl StoredSessions {
    pub fn new(context: Context) -> Self {
        Self {
            context,
            begun: Mutex::default(),
        }
    }

    fn remember(&self, key: Key, begun: Begun) {
        self.begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, begun);
    }

    fn take(&self, key: &Key) -> Option<Begun> {
        self.begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key)
    }

    /// Returns how long a renewal request may still be under way after its process has ended.
    fn wait_ms(&self) -> Millis {
        self.context.settings.effects.request_timeout_ms.max(LOCK_MS)
    }

    async fn invalidate(
        &self,
        account_context: &AccountContext,
        generation: i64,
        why: LostSession,
        begun: Option<Begun>,
    ) -> Result<()> {
        let account_context = account_context.clone();
        self.context
            .store
            .write(move |tx| {
                let (account_context, begun) = (account_context.clone(), begun.clone());
                async move {
                    let (account, row) = locked(tx, &account_context, slot_of(generation)).await?;
                    release(tx, begun.as_ref()).await?;
                    let (Some(account), Some(row)) = (account, row) else {
                        return Ok(());
                    };
                    if !is_ours(&row, generation, begun.as_ref()) || row.state == SessionState::Invalid {
                        return Ok(());
                    }
                    if row.slot == SessionSlot::Candidate {
                        // The import job learns of the failure and removes the candidate.
                        return put(tx, ended(row)).await;
                    }
                    invalidate(tx, account, row, why).await
                }
                .boxed()
            })
            .await
    }
}

/// Locks the account and then its session in a slot, and returns both. `None`: it does not exist.
async fn locked(
    tx: &Tx,
    account_context: &AccountContext,
    slot: SessionSlot,
) -> Result<(Option<accounts::Model>, Option<sessions::Model>)> {
    let AccountContext { account_id, site, .. } = account_context;
    let account = locked_account(tx, account_id).await?;
    let row = locked_row(tx, account_id, site, slot).await?;
    Ok((account, row))
}

/// Returns the slot of a generation. All candidates have the generation [`CANDIDATE`].
fn slot_of(generation: i64) -> SessionSlot {
    if generation == CANDIDATE {
        SessionSlot::Candidate
    } else {
        SessionSlot::Current
    }
}

/// Returns whether a verdict applies to a row: the generation is unchanged, and an open renewal belongs to this
/// process.
fn is_ours(row: &sessions::Model, generation: i64, begun: Option<&Begun>) -> bool {
    row.generation == generation && row.refresh_holder.as_deref() == begun.map(|begun| begun.holder.as_str())
}

/// Returns the row without an open renewal.
fn ended(row: sessions::Model) -> sessions::Model {
    sessions::Model {
        refresh_started: None,
        refresh_holder: None,
        retried: false,
        ..row
    }
}

async fn release(tx: &Tx, begun: Option<&Begun>) -> Result<()> {
    match begun.and_then(|begun| begun.own_lock.as_ref()) {
        Some(lock) => lock.release(tx).await,
        None => Ok(()),
    }
}

/// Uses the account lock of the account context, or acquires it. `None`: the lock is lost or has another holder.
async fn require_account_lock(tx: &Tx, account_context: &AccountContext) -> Result<Option<Begun>> {
    if let Some(lock) = &account_context.lock {
        let lock = AccountLock {
            account_id: account_context.account_id.clone(),
            holder: lock.holder.clone(),
            epoch: lock.epoch,
        };
        let holder = format!("{}#{}", lock.holder, lock.epoch);
        return Ok(lock.is_live(tx).await?.then_some(Begun {
            holder,
            own_lock: None,
        }));
    }
    let holder = format!("refresh:{}", tx.id());
    let taken = acquire_lock(tx, &account_context.account_id, &holder, LOCK_MS).await?;
    Ok(taken.ok().map(|lock| Begun {
        holder: format!("{}#{}", lock.holder, lock.epoch),
        own_lock: Some(lock),
    }))
}

async fn decide(
    tx: &Tx,
    context: &Context,
    account_context: &AccountContext,
    generation: i64,
    wait_ms: Millis,
) -> Result<Decided> {
    let (account, row) = locked(tx, account_context, slot_of(generation)).await?;
    let (Some(account), Some(row)) = (account, row) else {
        return Ok(Decided::NoSession);
    };
    if row.state == SessionState::Invalid {
        return Ok(Decided::Lost(why_of(&row)));
    }
    let session = open(&context.keys, &row)?;
    if row.generation != generation {
        return Ok(Decided::Renewal(Renewal::Use(session), None));
    }
    let now = tx.now().await?;
    if row.refresh_started.is_some_and(|started| now < started + wait_ms) {
        return Ok(Decided::Renewal(Renewal::Busy, None));
    }
    let Some(begun) = require_account_lock(tx, account_context).await? else {
        return Ok(Decided::Renewal(Renewal::Busy, None));
    };
    let is_open = row.refresh_started.is_some();
    if is_open && row.retried {
        // Two requests got no answer, so it is unknown which tokens are valid.
        release(tx, Some(&begun)).await?;
        if row.slot == SessionSlot::Current {
            invalidate(tx, account, row, LostSession::LostInRefresh).await?;
        }
        return Ok(Decided::Lost(LostSession::LostInRefresh));
    }
    let row = sessions::Model {
        refresh_started: Some(now),
        refresh_holder: Some(begun.holder.clone()),
        retried: is_open,
        ..row
    };
    put(tx, row).await?;
    let renewal = if is_open {
        Renewal::TryOnce(session)
    } else {
        Renewal::Begin(session)
    };
    Ok(Decided::Renewal(renewal, Some(begun)))
}

/// Stores new cookies of the same session as its next generation. A candidate keeps its generation.
async fn store(
    tx: &Tx,
    context: &Context,
    account: accounts::Model,
    row: sessions::Model,
    cookies: &Cookies,
) -> Result<Session> {
    let user_agent = open(&context.keys, &row)?.user_agent;
    let is_candidate = row.slot == SessionSlot::Candidate;
    let row = sessions::Model {
        generation: if is_candidate {
            CANDIDATE
        } else {
            row.generation + 1
        },
        cookie_names: joined(cookies),
        refresh_time: Some(tx.now().await?),
        ..ended(row)
    };
    let row = sessions::Model {
        sealed: seal(&context.keys, &*context.ids, &row, cookies, &user_agent)?,
        ..row
    };
    let session = Session {
        generation: row.generation,
        cookies: cookies.clone(),
        user_agent,
    };
    if is_candidate {
        put(tx, row).await?;
    } else {
        save_with(tx, account, row, Kind::AccountUpdated).await?;
    }
    Ok(session)
}

fn site_error(error: Error) -> SiteError {
    SiteError::Sessions(error.to_string())
}

#[async_trait]
impl Sessions for StoredSessions {
    async fn load(&self, account_context: &AccountContext) -> Result<Option<Session>, SiteError> {
        let key = (
            account_context.account_id.clone(),
            account_context.site.clone(),
            SessionSlot::Current,
        );
        let store = &self.context.store;
        let row = sessions::Entity::find_by_id(key)
            .one(store.reader())
            .await
            .map_err(|error| site_error(error.into()))?;
        let Some(row) = row else { return Ok(None) };
        if row.state == SessionState::Invalid {
            return Err(SiteError::SessionInvalid(why_of(&row)));
        }
        if let Some(time) = row.expire_time
            && time <= store.now().await.map_err(site_error)?
        {
            self.lost(account_context, row.generation, LostSession::Expired)
                .await?;
            return Err(SiteError::SessionInvalid(LostSession::Expired));
        }
        open(&self.context.keys, &row).map(Some).map_err(site_error)
    }

    async fn begin(&self, account_context: &AccountContext, generation: i64) -> Result<Renewal, SiteError> {
        let (context, wanted, wait_ms) = (self.context.clone(), account_context.clone(), self.wait_ms());
        let decided = self
            .context
            .store
            .write(move |tx| {
                let (context, account_context) = (context.clone(), wanted.clone());
                async move { decide(tx, &context, &account_context, generation, wait_ms).await }.boxed()
            })
            .await
            .map_err(site_error)?;
        match decided {
            Decided::NoSession => Err(SiteError::NoSession(account_context.site.clone())),
            Decided::Lost(why) => Err(SiteError::SessionInvalid(why)),
            Decided::Renewal(renewal, begun) => {
                if let Some(begun) = begun {
                    self.remember(key(account_context, generation), begun);
                }
                Ok(renewal)
            }
        }
    }

    async fn renewed(
        &self,
        account_context: &AccountContext,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, SiteError> {
        let begun = self.take(&key(account_context, generation));
        let (context, account_context) = (self.context.clone(), account_context.clone());
        self.context
            .store
            .write(move |tx| {
                let (context, account_context) = (context.clone(), account_context.clone());
                let (begun, cookies) = (begun.clone(), cookies.clone());
                async move {
                    let (account, row) = locked(tx, &account_context, slot_of(generation)).await?;
                    release(tx, begun.as_ref()).await?;
                    let (Some(account), Some(row), Some(begun)) = (account, row, begun) else {
                        return Ok(None);
                    };
                    if !is_ours(&row, generation, Some(&begun)) || row.state == SessionState::Invalid {
                        return Ok(None);
                    }
                    store(tx, &context, account, row, &cookies).await.map(Some)
                }
                .boxed()
            })
            .await
            .map_err(site_error)
    }

    async fn abandoned(&self, account_context: &AccountContext, generation: i64) -> Result<(), SiteError> {
        let begun = self.take(&key(account_context, generation));
        let account_context = account_context.clone();
        self.context
            .store
            .write(move |tx| {
                let (account_context, begun) = (account_context.clone(), begun.clone());
                async move {
                    let (_, row) = locked(tx, &account_context, slot_of(generation)).await?;
                    release(tx, begun.as_ref()).await?;
                    let ours = row.filter(|row| begun.is_some() && is_ours(row, generation, begun.as_ref()));
                    match ours {
                        None => Ok(()),
                        // The first renewal is still open and may be tried once more.
                        Some(row) if row.retried => {
                            let row = sessions::Model {
                                retried: false,
                                ..row
                            };
                            put(tx, row).await
                        }
                        Some(row) => put(tx, ended(row)).await,
                    }
                }
                .boxed()
            })
            .await
            .map_err(site_error)
    }

    async fn lost(
        &self,
        account_context: &AccountContext,
        generation: i64,
        why: LostSession,
    ) -> Result<(), SiteError> {
        let begun = self.take(&key(account_context, generation));
        self.invalidate(account_context, generation, why, begun)
            .await
            .map_err(site_error)
    }

    async fn cookies_captured(
        &self,
        account_context: &AccountContext,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, SiteError> {
        let (context, account_context) = (self.context.clone(), account_context.clone());
        self.context
            .store
            .write(move |tx| {
                let (context, account_context, cookies) =
                    (context.clone(), account_context.clone(), cookies.clone());
                async move {
                    let (account, row) = locked(tx, &account_context, SessionSlot::Current).await?;
                    let (Some(account), Some(row)) = (account, row) else {
                        return Ok(None);
                    };
                    let is_current = row.generation == generation
                        && row.state == SessionState::Active
                        && row.refresh_started.is_none();
                    if !is_current
                        || account_context.lock.is_none()
                        || require_account_lock(tx, &account_context).await?.is_none()
                    {
                        return Ok(None);
                    }
                    let stored = open(&context.keys, &row)?;
                    let rules = Rules::embedded();
                    let is_same = [&rules.access, &rules.refresh]
                        .into_iter()
                        .all(|name| stored.cookies.get(name) == cookies.get(name));
                    // Incomplete cookies mean that the browser was logged out. The next request to the site detects
                    // that.
                    if is_same || !rules.are_whole(&cookies) {
                        return Ok(Some(stored));
                    }
                    store(tx, &context, account, row, &cookies).await.map(Some)
                }
                .boxed()
            })
            .await
            .map_err(site_error)
    }
}

fn key(account_context: &AccountContext, generation: i64) -> Key {
    (
        account_context.account_id.clone(),
        account_context.site.clone(),
        generation,
    )
}
