//! Whose turn it is: kinds by weight, and within a kind the accounts in turn.
//!
//! Nothing here knows of time, threads or the database. Each kind has a pass, which grows with every job that it is given, the
//! slower the greater its weight; the kind with the smallest pass is next. One that had nothing to do does not save its turns
//! up. Whoever has waited longest of a kind's accounts is next there.

use std::collections::HashMap;

use vintedbot_domain::jobs::{Candidate, Kind};

/// What a pass grows by at weight 1.
const STRIDE: u64 = 840;
/// Accounts whose last turn is remembered for a kind; beyond that the oldest half is forgotten, as if they were new.
const REMEMBERED: usize = 4_096;

/// How many jobs of a kind are taken for each one of weight 1. What a person waits for comes before what runs by itself.
fn weight(kind: Kind) -> u64 {
    match kind {
        Kind::Publish | Kind::SendReply => 8,
        Kind::ImportSession | Kind::ConnectAccount | Kind::RemoveThread => 6,
        Kind::CheckSession | Kind::SyncInbox => 3,
        Kind::ImportWardrobe => 2,
        Kind::MarkThreadRead => 1,
    }
}

/// Hands out turns.
#[derive(Debug, Default)]
pub struct Turns {
    kinds: HashMap<Kind, Lane>,
    /// The pass of the kind that was last given something.
    pass: u64,
    /// Counts turns, so that it can be said which was earlier.
    turn: u64,
    /// Moves those who had no turn yet against each other, so that several workers do not all begin with the same one.
    salt: u64,
}

#[derive(Debug, Default)]
struct Lane {
    pass: u64,
    /// The number of each account's last turn.
    served: HashMap<String, u64>,
}

impl Turns {
    pub fn new(salt: u64) -> Self {
        Self {
            salt,
            ..Self::default()
        }
    }

    /// Takes out of the candidates the one whose turn it is.
    pub fn take(&mut self, candidates: &mut Vec<Candidate>) -> Option<Candidate> {
        let kind = candidates
            .iter()
            .map(|candidate| candidate.kind)
            .min_by_key(|kind| (self.pass_of(*kind), std::cmp::Reverse(weight(*kind)), *kind as u8))?;
        let lane = self.kinds.get(&kind);
        let last = |account: &str| {
            lane.and_then(|lane| lane.served.get(account))
                .copied()
                .unwrap_or(0)
        };
        let (at, _) = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.kind == kind)
            // The order that they come in is theirs within an account.
            .min_by_key(|(at, candidate)| (last(&candidate.account), self.salted(&candidate.account), *at))?;
        let taken = candidates.remove(at);
        self.serve(&taken);
        Some(taken)
    }

    /// Notes a turn that was given without a choice, since nobody else was waiting.
    pub fn serve(&mut self, taken: &Candidate) {
        let pass = self.pass_of(taken.kind);
        self.pass = pass;
        self.turn += 1;
        let lane = self.kinds.entry(taken.kind).or_default();
        lane.pass = pass + STRIDE / weight(taken.kind);
        lane.served.insert(taken.account.clone(), self.turn);
        if lane.served.len() > REMEMBERED {
            let mut turns: Vec<_> = lane.served.values().copied().collect();
            turns.sort_unstable();
            let middle = turns[turns.len() / 2];
            lane.served.retain(|_, turn| *turn >= middle);
        }
    }

    /// A kind that had nothing to do for a while goes on where the others are.
    fn pass_of(&self, kind: Kind) -> u64 {
        self.kinds.get(&kind).map_or(0, |lane| lane.pass).max(self.pass)
    }

    fn salted(&self, account: &str) -> u64 {
        // FNV-1a: any spread will do.
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

    fn taken(turns: &mut Turns, candidates: &mut Vec<Candidate>, count: usize) -> Vec<Candidate> {
        (0..count).map_while(|_| turns.take(candidates)).collect()
    }

    fn count(taken: &[Candidate], is: impl Fn(&Candidate) -> bool) -> usize {
        taken.iter().filter(|candidate| is(candidate)).count()
    }

    #[test]
    fn kinds_are_taken_by_weight() {
        let mut all = many(Kind::SyncInbox, "a", 1_000);
        all.extend(many(Kind::Publish, "a", 1_000));
        all.extend(many(Kind::MarkThreadRead, "a", 1_000));
        let taken = taken(&mut Turns::new(1), &mut all, 120);
        let of = |kind| count(&taken, |candidate| candidate.kind == kind);
        let shares = [of(Kind::Publish), of(Kind::SyncInbox), of(Kind::MarkThreadRead)];
        assert_eq!(shares, [80, 30, 10]);
    }

    #[test]
    fn a_publication_does_not_wait_for_a_burst_of_readings() {
        let mut turns = Turns::new(1);
        let mut all = many(Kind::SyncInbox, "a", 5_000);
        drop(taken(&mut turns, &mut all, 2_000));
        all.push(candidate(Kind::Publish, "b", 0));
        let next = taken(&mut turns, &mut all, 2);
        assert!(
            next.iter().any(|candidate| candidate.kind == Kind::Publish),
            "{next:?}"
        );
    }

    #[test]
    fn one_busy_seller_takes_no_more_turns_than_the_others() {
        let mut all = many(Kind::Publish, "busy", 500);
        for account in ["x", "y", "z"] {
            all.extend(many(Kind::Publish, account, 10));
        }
        let taken = taken(&mut Turns::new(7), &mut all, 40);
        for account in ["busy", "x", "y", "z"] {
            assert_eq!(
                count(&taken, |candidate| candidate.account == account),
                10,
                "{account}"
            );
        }
    }

    #[test]
    fn who_was_idle_saves_no_turns_up() {
        let mut turns = Turns::new(1);
        let mut all = many(Kind::SyncInbox, "a", 1_000);
        drop(taken(&mut turns, &mut all, 500));
        all.extend(many(Kind::MarkThreadRead, "a", 1_000));
        let next = taken(&mut turns, &mut all, 40);
        assert_eq!(
            count(&next, |candidate| candidate.kind == Kind::MarkThreadRead),
            10
        );
    }

    #[test]
    fn everything_is_taken_in_the_end_and_each_once() {
        let mut all = Vec::new();
        for kind in Kind::all() {
            for account in ["a", "b", "c"] {
                all.extend(many(kind, account, 17));
            }
        }
        let expected = all.len();
        let mut ids: Vec<_> = taken(&mut Turns::new(3), &mut all, usize::MAX)
            .into_iter()
            .map(|candidate| candidate.id)
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), all.len()), (expected, 0));
    }

    #[test]
    fn several_workers_do_not_begin_with_the_same_account() {
        let first = |salt| {
            let mut all = Vec::new();
            for account in 0..32 {
                all.extend(many(Kind::SyncInbox, &account.to_string(), 1));
            }
            Turns::new(salt).take(&mut all).map(|candidate| candidate.account)
        };
        let firsts: std::collections::HashSet<_> = (0..16).map(|salt| first(salt * 7_919)).collect();
        assert!(firsts.len() > 4, "{firsts:?}");
    }

    #[test]
    fn turns_of_many_accounts_are_forgotten_in_time() {
        let mut turns = Turns::new(1);
        for number in 0..3 * REMEMBERED {
            turns.serve(&candidate(Kind::SyncInbox, &number.to_string(), 0));
        }
        assert!(turns.kinds[&Kind::SyncInbox].served.len() <= REMEMBERED);
    }
}
