//! The queue between processes as apalis-redis has it, and what it does when something goes wrong: rings that get lost on the way in and on the way out, that come again because their taker died or was only slow or because it was
//! never heard that they were done with, a Redis that is away, and one that comes back empty.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngExt as _;
use rand::rngs::StdRng;
use vintedbot_domain::clock::{Clock as _, Millis};
use vintedbot_domain::store::{AfterCommit, Committed};

use super::clock::SimClock;

/// One in so many times, each.
const GOES_AWAY: u32 = 40;
const COMES_BACK: u32 = 6;
const COMES_BACK_EMPTY: u32 = 3;
const MISSES_HEARTBEATS: u32 = 24;
const ORPHANS_ARE_FOUND: u32 = 4;
const IS_LOST: u32 = 16;
const END_IS_LOST: u32 = 8;

/// Rings, and who has them.
pub struct Queue {
    clock: Arc<SimClock>,
    rings: Mutex<Rings>,
}

#[derive(Default)]
struct Rings {
    waiting: VecDeque<String>,
    /// Timers, with the time at which each rings.
    timers: Vec<(Millis, String)>,
    /// What each taker has and has not said that it is done with.
    taken: BTreeMap<u32, Vec<String>>,
    is_away: bool,
}

impl Queue {
    pub fn new(clock: Arc<SimClock>) -> Self {
        Self {
            clock,
            rings: Mutex::default(),
        }
    }

    /// An empty one that is there.
    pub fn restart(&self) {
        *self.lock() = Rings::default();
    }

    /// The ring that this process gets, if it gets one.
    pub fn take(&self, taker: u32, is_dead: impl Fn(u32) -> bool, random: &mut StdRng) -> Option<String> {
        let mut one_in = |times| random.random_range(0..times) == 0;
        let mut rings = self.lock();
        let now = self.clock.now();
        let (due, timers): (Vec<_>, Vec<_>) = std::mem::take(&mut rings.timers)
            .into_iter()
            .partition(|(time, _)| *time <= now);
        rings.timers = timers;
        if !rings.is_away {
            rings.waiting.extend(due.into_iter().map(|(_, job_id)| job_id));
        }
        if rings.is_away {
            if !one_in(COMES_BACK) {
                return None;
            }
            rings.is_away = false;
            if one_in(COMES_BACK_EMPTY) {
                rings.waiting.clear();
                rings.taken.clear();
            }
        } else if one_in(GOES_AWAY) {
            rings.is_away = true;
            return None;
        }
        let gone: Vec<u32> = rings
            .taken
            .keys()
            .copied()
            .filter(|taker| match is_dead(*taker) {
                true => one_in(ORPHANS_ARE_FOUND),
                // Its heartbeats were late: it lives, and has them still.
                false => one_in(MISSES_HEARTBEATS),
            })
            .collect();
        for taker in gone {
            let orphans = rings.taken.remove(&taker).unwrap_or_default();
            rings.waiting.extend(orphans);
        }
        let job_id = rings.waiting.pop_front()?;
        if one_in(IS_LOST) {
            return None;
        }
        rings.taken.entry(taker).or_default().push(job_id.clone());
        Some(job_id)
    }

    /// Its taker is done with a ring, and says so where that is heard.
    pub fn end(&self, taker: u32, random: &mut StdRng) {
        let mut rings = self.lock();
        if !rings.is_away && random.random_range(0..END_IS_LOST) != 0 {
            rings.taken.remove(&taker);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AfterCommit for Queue {
    fn committed(&self, committed: &Committed) {
        let now = self.clock.now();
        let mut rings = self.lock();
        for (job_id, delay) in &committed.jobs {
            if *delay > 0 {
                rings.timers.push((now + delay, job_id.clone()));
            } else if !rings.is_away {
                rings.waiting.push_back(job_id.clone());
            }
        }
    }
}
