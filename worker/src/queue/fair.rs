//! The fair scheduler: stride scheduling of job kinds by weight, and round-robin between the accounts of a kind.
//!
//! It uses no time, threads or database. Each kind has a pass, which grows with every job; the greater its weight, the
//! slower it grows. The kind with the smallest pass is next. An idle kind does not accumulate turns. Within a kind, the
//! account with the earliest last turn is next.

use std::collections::HashMap;

use vintedbot_domain::jobs::{Candidate, Kind};

/// The growth of a pass per job at weight 1.
const STRIDE: u64 = 840;
/// The maximum remembered accounts of a kind. Above that, the older half is forgotten and counts as new.
const REMEMBERED: usize = 4_096;

/// The jobs of a kind that are taken for each job of weight 1. Kinds that a person waits for have a higher weight than
/// background work.
fn weight(kind: Kind) -> u64 {
    match kind {
        Kind::Publish | Kind::SendReply => 8,
        Kind::ImportSession | Kind::ConnectAccount | Kind::RemoveThread => 6,
        Kind::CheckSession | Kind::SyncInbox => 3,
        Kind::ImportWardrobe => 2,
        Kind::MarkThreadRead => 1,
    }
}

/// Selects the next job among candidates.
#[derive(Debug, Default)]
pub struct FairScheduler {
    kinds: HashMap<Kind, KindShare>,
    /// The pass of the kind that was served last.
    pass: u64,
    /// A counter of turns, which orders them.
    turn: u64,
    /// Varies the order of accounts without a turn, so that several workers do not all begin with the same account.
    salt: u64,
}

#[derive(Debug, Default)]
struct KindShare {
    pass: u64,
    /// The number of each account's last turn.
    served: HashMap<String, u64>,
}

impl FairScheduler {
    pub fn new(salt: u64) -> Self {
        Self {
            salt,
            ..Self::default()
        }
    }

    /// Removes the next job from the candidates and returns it.
    pub fn take(&mut self, candidates: &mut Vec<Candidate>) -> Option<Candidate> {
        let kind = candidates
            .iter()
            .map(|candidate| candidate.kind)
            .min_by_key(|kind| (self.pass_of(*kind), std::cmp::Reverse(weight(*kind)), *kind as u8))?;
        let share = self.kinds.get(&kind);
        let last = |account: &str| {
            share
                .and_then(|share| share.served.get(account))
                .copied()
                .unwrap_or(0)
        };
        let (at, _) = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.kind == kind)
            // Within an account, the order of the candidates is kept.
            .min_by_key(|(at, candidate)| (last(&candidate.account), self.salted(&candidate.account), *at))?;
        let taken = candidates.remove(at);
        self.serve(&taken);
        Some(taken)
    }

    /// Records a turn that was given without a choice, because no other job was waiting.
    pub fn serve(&mut self, taken: &Candidate) {
        let pass = self.pass_of(taken.kind);
        self.pass = pass;
        self.turn += 1;
        let share = self.kinds.entry(taken.kind).or_default();
        share.pass = pass + STRIDE / weight(taken.kind);
        share.served.insert(taken.account.clone(), self.turn);
        if share.served.len() > REMEMBERED {
            let mut turns: Vec<_> = share.served.values().copied().collect();
            turns.sort_unstable();
            let middle = turns[turns.len() / 2];
            share.served.retain(|_, turn| *turn >= middle);
        }
    }

    /// Returns the pass of a kind. A kind that was idle continues at the pass of the others.
    fn pass_of(&self, kind: Kind) -> u64 {
        self.kinds.get(&kind).map_or(0, |share| share.pass).max(self.pass)
    }

    fn salted(&self, account: &str) -> u64 {
        // FNV-1a. Any hash that spreads accounts is sufficient.
        account
            .bytes()
            .fold(self.salt ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(kind: Kind, account: &str, number: usize) -> Candidate {
        Candidate {
            id: format!("{kind:?}-{account}-{number}"),
            kind,
            account: account.to_owned(),
        }
    }

    fn many(kind: Kind, account: &str, count: usize) -> Vec<Candidate> {
        (0..count)
            .map(|number| candidate(kind, account, number))
            .collect()
    }

    fn taken(scheduler: &mut FairScheduler, candidates: &mut Vec<Candidate>, count: usize) -> Vec<Candidate> {
        (0..count).map_while(|_| scheduler.take(candidates)).collect()
    }

    fn count(taken: &[Candidate], is: impl Fn(&Candidate) -> bool) -> usize {
        taken.iter().filter(|candidate| is(candidate)).count()
    }

    #[test]
    fn kinds_are_taken_by_weight() {
        let mut all = many(Kind::SyncInbox, "a", 1_000);
        all.extend(many(Kind::Publish, "a", 1_000));
        all.extend(many(Kind::MarkThreadRead, "a", 1_000));
        let taken = taken(&mut FairScheduler::new(1), &mut all, 120);
        let of = |kind| count(&taken, |candidate| candidate.kind == kind);
        let shares = [of(Kind::Publish), of(Kind::SyncInbox), of(Kind::MarkThreadRead)];
        assert_eq!(shares, [80, 30, 10]);
    }

    #[test]
    fn publish_job_does_not_wait_for_a_burst_of_reads() {
        let mut scheduler = FairScheduler::new(1);
        let mut all = many(Kind::SyncInbox, "a", 5_000);
        drop(taken(&mut scheduler, &mut all, 2_000));
        all.push(candidate(Kind::Publish, "b", 0));
        let next = taken(&mut scheduler, &mut all, 2);
        assert!(
            next.iter().any(|candidate| candidate.kind == Kind::Publish),
            "{next:?}"
        );
    }

    #[test]
    fn busy_account_gets_no_extra_turns() {
        let mut all = many(Kind::Publish, "busy", 500);
        for account in ["x", "y", "z"] {
            all.extend(many(Kind::Publish, account, 10));
        }
        let taken = taken(&mut FairScheduler::new(7), &mut all, 40);
        for account in ["busy", "x", "y", "z"] {
            assert_eq!(
                count(&taken, |candidate| candidate.account == account),
                10,
                "{account}"
            );
        }
    }

    #[test]
    fn idle_account_saves_up_no_turns() {
        let mut scheduler = FairScheduler::new(1);
        let mut all = many(Kind::SyncInbox, "a", 1_000);
        drop(taken(&mut scheduler, &mut all, 500));
        all.extend(many(Kind::MarkThreadRead, "a", 1_000));
        let next = taken(&mut scheduler, &mut all, 40);
        assert_eq!(
            count(&next, |candidate| candidate.kind == Kind::MarkThreadRead),
            10
        );
    }

    #[test]
    fn every_job_is_taken_exactly_once() {
        let mut all = Vec::new();
        for kind in Kind::all() {
            for account in ["a", "b", "c"] {
                all.extend(many(kind, account, 17));
            }
        }
        let expected = all.len();
        let mut ids: Vec<_> = taken(&mut FairScheduler::new(3), &mut all, usize::MAX)
            .into_iter()
            .map(|candidate| candidate.id)
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), all.len()), (expected, 0));
    }

    #[test]
    fn workers_start_with_different_accounts() {
        let first = |salt| {
            let mut all = Vec::new();
            for account in 0..32 {
                all.extend(many(Kind::SyncInbox, &account.to_string(), 1));
            }
            FairScheduler::new(salt)
                .take(&mut all)
                .map(|candidate| candidate.account)
        };
        let firsts: std::collections::HashSet<_> = (0..16).map(|salt| first(salt * 7_919)).collect();
        assert!(firsts.len() > 4, "{firsts:?}");
    }

    #[test]
    fn turns_of_many_accounts_are_dropped() {
        let mut scheduler = FairScheduler::new(1);
        for number in 0..3 * REMEMBERED {
            scheduler.serve(&candidate(Kind::SyncInbox, &number.to_string(), 0));
        }
        assert!(scheduler.kinds[&Kind::SyncInbox].served.len() <= REMEMBERED);
    }
}
