//! Where the connector's sessions are kept. A renewal is written down as begun, under the account's lock, before the site is
//! asked, and its tokens are stored before they are used; so at most one request to renew a generation is on its way, and
//! what a crash leaves behind is known for what it is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use sea_orm::EntityTrait;
use vintedbot_marketplace::cookies::Rules;
use vintedbot_marketplace::{
    CANDIDATE, Cookies, Error as SiteError, LostSession, Renewal, Seat, Session, Sessions,
};

use super::{invalidate, joined, locked_account, locked_row, open, put, save_with, seal, why_of};
use crate::accounts::{AccountLock, SessionSlot, SessionState, acquire_lock};
use crate::clock::Millis;
use crate::events::Kind;
use crate::store::Tx;
use crate::store::entities::{accounts, sessions};
use crate::{Domain, Error, Result};

/// How long the account's lock is taken for a renewal, which takes eight seconds at most.
const LOCK_MS: Millis = 12_000;

/// The sessions of an instance.
pub struct StoredSessions {
    domain: Domain,
    /// Renewals that this process has begun and not ended.
    begun: Mutex<HashMap<Key, Begun>>,
}

/// A generation of a session: account, site, number.
type Key = (String, String, i64);

#[derive(Clone)]
struct Begun {
    /// As it stands in the row.
    holder: String,
    /// The account's lock, where it was taken for the renewal alone.
    own_lock: Option<AccountLock>,
}

/// What a transaction decided about a renewal that is asked for.
enum Decided {
    Renewal(Renewal, Option<Begun>),
    NoSession,
    Lost(LostSession),
}

impl StoredSessions {
    pub fn new(domain: Domain) -> Self {
        Self {
            domain,
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

    /// How long the site may still be at a renewal whose asker is gone.
    fn wait_ms(&self) -> Millis {
        self.domain.settings.request_timeout_ms.max(LOCK_MS)
    }

    async fn invalidate(
        &self,
        seat: &Seat,
        generation: i64,
        why: LostSession,
        begun: Option<Begun>,
    ) -> Result<()> {
        let seat = seat.clone();
        self.domain
            .store
            .write(move |tx| {
                let (seat, begun) = (seat.clone(), begun.clone());
                async move {
                    let account = locked_account(tx, &seat.account_id).await?;
                    let row = locked_row(tx, &seat.account_id, &seat.site, slot_of(generation)).await?;
                    release(tx, begun.as_ref()).await?;
                    let (Some(account), Some(row)) = (account, row) else {
                        return Ok(());
                    };
                    if !is_ours(&row, generation, begun.as_ref()) || row.state == SessionState::Invalid {
                        return Ok(());
                    }
                    if row.slot == SessionSlot::Candidate {
                        // Whoever tries it is told, and it goes.
                        return put(tx, ended(row)).await;
                    }
                    invalidate(tx, account, row, why).await
                }
                .boxed()
            })
            .await
    }
}

/// A candidate has no generation of its own.
fn slot_of(generation: i64) -> SessionSlot {
    if generation == CANDIDATE {
        SessionSlot::Candidate
    } else {
        SessionSlot::Current
    }
}

/// Whether a row is still what a verdict was reached about: the same generation and, where a renewal is open, ours.
fn is_ours(row: &sessions::Model, generation: i64, begun: Option<&Begun>) -> bool {
    row.generation == generation && row.refresh_holder.as_deref() == begun.map(|begun| begun.holder.as_str())
}

/// The row when its renewal has ended.
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

/// The account's lock: the seat's where it is held, else taken now. `None`: somebody else has it.
async fn hold(tx: &Tx, seat: &Seat) -> Result<Option<Begun>> {
    if let Some(lock) = &seat.lock {
        let lock = AccountLock {
            account_id: seat.account_id.clone(),
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
    let taken = acquire_lock(tx, &seat.account_id, &holder, LOCK_MS).await?;
    Ok(taken.ok().map(|lock| Begun {
        holder: format!("{}#{}", lock.holder, lock.epoch),
        own_lock: Some(lock),
    }))
}

async fn decide(tx: &Tx, domain: &Domain, seat: &Seat, generation: i64, wait_ms: Millis) -> Result<Decided> {
    let account = locked_account(tx, &seat.account_id).await?;
    let row = locked_row(tx, &seat.account_id, &seat.site, slot_of(generation)).await?;
    let (Some(account), Some(row)) = (account, row) else {
        return Ok(Decided::NoSession);
    };
    if row.state == SessionState::Invalid {
        return Ok(Decided::Lost(why_of(&row)));
    }
    let session = open(&domain.keys, &row)?;
    if row.generation != generation {
        return Ok(Decided::Renewal(Renewal::Use(session), None));
    }
    let now = tx.now().await?;
    if row.refresh_started.is_some_and(|started| now < started + wait_ms) {
        return Ok(Decided::Renewal(Renewal::Busy, None));
    }
    let Some(begun) = hold(tx, seat).await? else {
        return Ok(Decided::Renewal(Renewal::Busy, None));
    };
    let is_open = row.refresh_started.is_some();
    if is_open && row.retried {
        // Twice asked, and no answer came twice: nobody knows which tokens are good.
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

/// Stores other cookies of the same session as its next generation.
async fn store(
    tx: &Tx,
    domain: &Domain,
    account: accounts::Model,
    row: sessions::Model,
    cookies: &Cookies,
) -> Result<Session> {
    let user_agent = open(&domain.keys, &row)?.user_agent;
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
        sealed: seal(&domain.keys, &*domain.ids, &row, cookies, &user_agent)?,
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
    async fn load(&self, seat: &Seat) -> Result<Option<Session>, SiteError> {
        let key = (seat.account_id.clone(), seat.site.clone(), SessionSlot::Current);
        let store = &self.domain.store;
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
            self.lost(seat, row.generation, LostSession::Expired).await?;
            return Err(SiteError::SessionInvalid(LostSession::Expired));
        }
        open(&self.domain.keys, &row).map(Some).map_err(site_error)
    }

    async fn begin(&self, seat: &Seat, generation: i64) -> Result<Renewal, SiteError> {
        let (domain, wanted, wait_ms) = (self.domain.clone(), seat.clone(), self.wait_ms());
        let decided = self
            .domain
            .store
            .write(move |tx| {
                let (domain, seat) = (domain.clone(), wanted.clone());
                async move { decide(tx, &domain, &seat, generation, wait_ms).await }.boxed()
            })
            .await
            .map_err(site_error)?;
        match decided {
            Decided::NoSession => Err(SiteError::NoSession(seat.site.clone())),
            Decided::Lost(why) => Err(SiteError::SessionInvalid(why)),
            Decided::Renewal(renewal, begun) => {
                if let Some(begun) = begun {
                    self.remember(key(seat, generation), begun);
                }
                Ok(renewal)
            }
        }
    }

    async fn renewed(
        &self,
        seat: &Seat,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, SiteError> {
        let begun = self.take(&key(seat, generation));
        let (domain, seat) = (self.domain.clone(), seat.clone());
        self.domain
            .store
            .write(move |tx| {
                let (domain, seat) = (domain.clone(), seat.clone());
                let (begun, cookies) = (begun.clone(), cookies.clone());
                async move {
                    let account = locked_account(tx, &seat.account_id).await?;
                    let row = locked_row(tx, &seat.account_id, &seat.site, slot_of(generation)).await?;
                    release(tx, begun.as_ref()).await?;
                    let (Some(account), Some(row), Some(begun)) = (account, row, begun) else {
                        return Ok(None);
                    };
                    if !is_ours(&row, generation, Some(&begun)) || row.state == SessionState::Invalid {
                        return Ok(None);
                    }
                    store(tx, &domain, account, row, &cookies).await.map(Some)
                }
                .boxed()
            })
            .await
            .map_err(site_error)
    }

    async fn abandoned(&self, seat: &Seat, generation: i64) -> Result<(), SiteError> {
        let begun = self.take(&key(seat, generation));
        let seat = seat.clone();
        self.domain
            .store
            .write(move |tx| {
                let (seat, begun) = (seat.clone(), begun.clone());
                async move {
                    locked_account(tx, &seat.account_id).await?;
                    let row = locked_row(tx, &seat.account_id, &seat.site, slot_of(generation)).await?;
                    release(tx, begun.as_ref()).await?;
                    let ours = row.filter(|row| begun.is_some() && is_ours(row, generation, begun.as_ref()));
                    match ours {
                        None => Ok(()),
                        // What was open before is open still, and may be tried again.
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

    async fn lost(&self, seat: &Seat, generation: i64, why: LostSession) -> Result<(), SiteError> {
        let begun = self.take(&key(seat, generation));
        self.invalidate(seat, generation, why, begun)
            .await
            .map_err(site_error)
    }

    async fn harvested(
        &self,
        seat: &Seat,
        generation: i64,
        cookies: Cookies,
    ) -> Result<Option<Session>, SiteError> {
        let (domain, seat) = (self.domain.clone(), seat.clone());
        self.domain
            .store
            .write(move |tx| {
                let (domain, seat, cookies) = (domain.clone(), seat.clone(), cookies.clone());
                async move {
                    let account = locked_account(tx, &seat.account_id).await?;
                    let row = locked_row(tx, &seat.account_id, &seat.site, SessionSlot::Current).await?;
                    let (Some(account), Some(row)) = (account, row) else {
                        return Ok(None);
                    };
                    let is_current = row.generation == generation
                        && row.state == SessionState::Active
                        && row.refresh_started.is_none();
                    if !is_current || seat.lock.is_none() || hold(tx, &seat).await?.is_none() {
                        return Ok(None);
                    }
                    let stored = open(&domain.keys, &row)?;
                    let rules = Rules::embedded();
                    let is_same = [&rules.access, &rules.refresh]
                        .into_iter()
                        .all(|name| stored.cookies.get(name) == cookies.get(name));
                    // A browser that was logged out has nothing to tell: the site will say so itself.
                    if is_same || !rules.are_whole(&cookies) {
                        return Ok(Some(stored));
                    }
                    store(tx, &domain, account, row, &cookies).await.map(Some)
                }
                .boxed()
            })
            .await
            .map_err(site_error)
    }
}

fn key(seat: &Seat, generation: i64) -> Key {
    (seat.account_id.clone(), seat.site.clone(), generation)
}
