//! The registry of open connections and of their calls.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use vintedbot_domain::failpoints;
use vintedbot_domain::identity::network;

use super::Limits;

/// The open connections of one listener, and the running calls of each workspace and of each address.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    open: Mutex<Open>,
    /// The numbers of running calls.
    calls: Mutex<HashMap<Group, usize>>,
    /// The time at which exhaustion was last logged.
    reported: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// The open connections by arrival number, oldest first.
    connections: BTreeMap<u64, Entry>,
    per_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    activity: Activity,
}

/// The peer and the calls of a connection. Requests carry it in their extensions.
#[derive(Clone, Debug)]
pub struct Activity(Arc<Used>);

#[derive(Debug)]
struct Used {
    /// The address of the peer.
    peer: IpAddr,
    /// Running calls.
    calls: AtomicUsize,
    /// Running authenticated calls.
    authenticated: AtomicUsize,
    /// Whether the connection ever had an authenticated call.
    is_known: AtomicBool,
    /// The time at which the connection was accepted, or its last call ended.
    idle_since: Mutex<Idle>,
    /// Cancelled when the connection is evicted.
    evicted: CancellationToken,
}

#[derive(Clone, Copy, Debug)]
struct Idle {
    since: Instant,
    /// Whether the connection ever had a call.
    called: bool,
}

impl Activity {
    fn new(peer: IpAddr) -> Self {
        Self(Arc::new(Used {
            peer,
            calls: AtomicUsize::new(0),
            authenticated: AtomicUsize::new(0),
            is_known: AtomicBool::new(false),
            idle_since: Mutex::new(Idle {
                since: Instant::now(),
                called: false,
            }),
            evicted: CancellationToken::new(),
        }))
    }

    /// Returns the address of the peer: the client, or a proxy.
    pub fn peer(&self) -> IpAddr {
        self.0.peer
    }

    /// Counts a call until the guard is dropped.
    pub fn begin_call(&self) -> Running {
        self.0.calls.fetch_add(1, Ordering::AcqRel);
        lock(&self.0.idle_since).called = true;
        Running(self.clone())
    }

    /// Counts an authenticated call until the guard is dropped.
    fn authenticate(&self) -> AuthenticatedCall {
        self.0.authenticated.fetch_add(1, Ordering::AcqRel);
        self.0.is_known.store(true, Ordering::Release);
        AuthenticatedCall(self.clone())
    }

    /// Returns the time at which the connection's idle limit expires. `None` while a call runs.
    pub fn idle_until(&self, limits: &Limits) -> Option<Instant> {
        if self.0.calls.load(Ordering::Acquire) > 0 {
            return None;
        }
        let idle = *lock(&self.0.idle_since);
        let allowed = if idle.called {
            limits.idle
        } else {
            limits.first_request
        };
        Some(idle.since + allowed)
    }

    /// Returns a token that is cancelled when the connection is evicted.
    pub fn evicted(&self) -> CancellationToken {
        self.0.evicted.clone()
    }

    fn is_protected(&self) -> bool {
        self.0.authenticated.load(Ordering::Acquire) > 0
    }

    fn is_known(&self) -> bool {
        self.0.is_known.load(Ordering::Acquire)
    }
}

/// Guard of a running call.
#[derive(Debug)]
pub struct Running(Activity);

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.0.0.idle_since).since = Instant::now();
        self.0.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

#[derive(Debug)]
struct AuthenticatedCall(Activity);

impl Drop for AuthenticatedCall {
    fn drop(&mut self) {
        self.0.0.authenticated.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Guard of an authenticated call, which protects its connection from eviction and counts for its workspace.
#[derive(Debug)]
pub struct Authenticated {
    _connection: Option<AuthenticatedCall>,
    _counted: Counted,
}

/// The calls that share a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Group {
    Workspace(String),
    /// Calls without a credential. Absent: those of unknown clients.
    Network(Option<IpAddr>),
}

/// Guard of a call that counts for a workspace or for a network.
#[derive(Debug)]
pub struct Counted {
    registry: Registry,
    group: Group,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut calls = lock(&self.registry.0.calls);
        if let Some(count) = calls.get_mut(&self.group) {
            *count -= 1;
            if *count == 0 {
                calls.remove(&self.group);
            }
        }
    }
}

/// A slot among the open connections, freed when dropped.
#[derive(Debug)]
pub struct Slot {
    registry: Registry,
    id: u64,
    pub activity: Activity,
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.registry.0.open).remove(self.id);
    }
}

impl Registry {
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared {
            limits,
            open: Mutex::default(),
            calls: Mutex::default(),
            reported: Mutex::default(),
        }))
    }

    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Gives a new connection a slot. If all slots are taken, evicts the oldest connection without an authenticated
    /// call. `None` if every connection has such a call.
    pub fn admit(&self, peer: IpAddr) -> Option<Slot> {
        let (limits, address) = (&self.0.limits, network(peer));
        let mut open = lock(&self.0.open);
        let from_here = open.per_address.get(&address).copied().unwrap_or_default();
        let full = if from_here >= limits.per_address {
            Some(Some(address))
        } else if open.connections.len() >= limits.total {
            Some(None)
        } else {
            None
        };
        if let Some(among) = full
            && !failpoints::disables("connections")
            && !open.evict(among)
        {
            ::metrics::counter!("vintedbot_connections_refused_total").increment(1);
            return None;
        }
        let id = open.next;
        open.next += 1;
        *open.per_address.entry(address).or_default() += 1;
        let activity = Activity::new(peer.to_canonical());
        open.connections.insert(
            id,
            Entry {
                address,
                activity: activity.clone(),
            },
        );
        Some(Slot {
            registry: self.clone(),
            id,
            activity,
        })
    }

    /// Counts a call for its workspace and protects its connection until the guard is dropped. `None` if the workspace
    /// has reached its limit of concurrent calls.
    pub fn authenticated(&self, workspace_id: &str, activity: Option<&Activity>) -> Option<Authenticated> {
        let counted = self.count(Group::Workspace(workspace_id.to_owned()))?;
        Some(Authenticated {
            _connection: activity.map(Activity::authenticate),
            _counted: counted,
        })
    }

    /// Counts a call without a credential for its client's address until the guard is dropped. `None` if the address
    /// has as many such calls as a workspace may have.
    pub fn public(&self, address: Option<IpAddr>) -> Option<Counted> {
        self.count(Group::Network(address.map(network)))
    }

    fn count(&self, group: Group) -> Option<Counted> {
        let mut calls = lock(&self.0.calls);
        let running = calls.entry(group.clone()).or_default();
        if *running >= self.0.limits.calls_per_workspace && !failpoints::disables("calls") {
            return None;
        }
        *running += 1;
        drop(calls);
        Some(Counted {
            registry: self.clone(),
            group,
        })
    }

    /// Logs that descriptors or memory are exhausted, at most once in ten seconds.
    pub fn report_exhausted(&self, error: &std::io::Error) {
        let mut reported = lock(&self.0.reported);
        if reported.is_none_or(|time| time.elapsed().as_secs() >= 10) {
            *reported = Some(Instant::now());
            tracing::error!(%error, "no connection can be accepted");
        }
    }
}

impl Open {
    /// Evicts one connection without an authenticated call, from the given address or from any. Prefers the oldest that
    /// never had such a call, then the oldest that has none now. Returns whether one was evicted.
    fn evict(&mut self, among: Option<IpAddr>) -> bool {
        let mut candidates: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, entry)| among.is_none_or(|address| entry.address == address))
            .filter(|(_, entry)| !entry.activity.is_protected())
            .collect();
        candidates.sort_by_key(|(id, entry)| (entry.activity.is_known(), **id));
        let Some(id) = candidates.first().map(|(id, _)| **id) else {
            return false;
        };
        if let Some(entry) = self.remove(id) {
            entry.activity.evicted().cancel();
            ::metrics::counter!("vintedbot_connections_evicted_total").increment(1);
        }
        true
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.connections.remove(&id)?;
        if let Some(count) = self.per_address.get_mut(&entry.address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&entry.address);
            }
        }
        Some(entry)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
