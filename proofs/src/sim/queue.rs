//! The queue between processes, like apalis-redis with its faults. Notifications are lost on the way in and on the way
//! out. They are repeated if their taker died, was slow, or lost its acknowledgement. Redis stops, and is sometimes
//! empty when it starts again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngExt as _;
use rand::rngs::StdRng;
use vintedbot_domain::clock::{Clock as _, Millis};
use vintedbot_domain::store::{AfterCommit, Committed};

use super::clock::SimClock;

/// Each event happens once in this many times.
const GOES_AWAY: u32 = 40;
const COMES_BACK: u32 = 6;
const COMES_BACK_EMPTY: u32 = 3;
const MISSES_HEARTBEATS: u32 = 24;
const ORPHANS_ARE_FOUND: u32 = 4;
const IS_LOST: u32 = 16;
const END_IS_LOST: u32 = 8;

/// Job notifications and their takers.
pub struct Queue {
    clock: Arc<SimClock>,
    notifications: Mutex<Notifications>,
}

#[derive(Default)]
struct Notifications {
    waiting: VecDeque<String>,
    /// The delayed notifications, with their due times.
    timers: Vec<(Millis, String)>,
    /// The notifications that each taker has not acknowledged.
    taken: BTreeMap<u32, Vec<String>>,
    is_away: bool,
}

impl Queue {
    pub fn new(clock: Arc<SimClock>) -> Self {
        Self {
            clock,
            notifications: Mutex::default(),
        }
    }

    /// Resets the queue: empty, and available.
    pub fn restart(&self) {
        *self.lock() = Notifications::default();
    }

    /// Returns the notification that this process gets, if any.
    pub fn take(&self, taker: u32, is_dead: impl Fn(u32) -> bool, random: &mut StdRng) -> Option<String> {
        let mut one_in = |times| random.random_range(0..times) == 0;
        let mut notifications = self.lock();
        let now = self.clock.now();
        let (due, timers): (Vec<_>, Vec<_>) = std::mem::take(&mut notifications.timers)
            .into_iter()
            .partition(|(time, _)| *time <= now);
        notifications.timers = timers;
        if !notifications.is_away {
            notifications
                .waiting
                .extend(due.into_iter().map(|(_, job_id)| job_id));
        }
        if notifications.is_away {
            if !one_in(COMES_BACK) {
                return None;
            }
            notifications.is_away = false;
            if one_in(COMES_BACK_EMPTY) {
                notifications.waiting.clear();
                notifications.taken.clear();
            }
        } else if one_in(GOES_AWAY) {
            notifications.is_away = true;
            return None;
        }
        let gone: Vec<u32> = notifications
            .taken
            .keys()
            .copied()
            .filter(|taker| match is_dead(*taker) {
                true => one_in(ORPHANS_ARE_FOUND),
                // The taker's heartbeats were late: it lives and still holds its notifications.
                false => one_in(MISSES_HEARTBEATS),
            })
            .collect();
        for taker in gone {
            let orphans = notifications.taken.remove(&taker).unwrap_or_default();
            notifications.waiting.extend(orphans);
        }
        let job_id = notifications.waiting.pop_front()?;
        if one_in(IS_LOST) {
            return None;
        }
        notifications.taken.entry(taker).or_default().push(job_id.clone());
        Some(job_id)
    }

    /// Acknowledges the notifications of a taker, unless the acknowledgement is lost.
    pub fn end(&self, taker: u32, random: &mut StdRng) {
        let mut notifications = self.lock();
        if !notifications.is_away && random.random_range(0..END_IS_LOST) != 0 {
            notifications.taken.remove(&taker);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Notifications> {
        self.notifications.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AfterCommit for Queue {
    fn committed(&self, committed: &Committed) {
        let now = self.clock.now();
        let mut notifications = self.lock();
        for (job_id, delay) in &committed.jobs {
            if *delay > 0 {
                notifications.timers.push((now + delay, job_id.clone()));
            } else if !notifications.is_away {
                notifications.waiting.push_back(job_id.clone());
            }
        }
    }
}
