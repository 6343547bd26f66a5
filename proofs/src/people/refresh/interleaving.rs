//! One interleaving: an honest client refreshes its session over a connection that loses, repeats and delays calls.
//! Then a thief uses a token that the client has replaced.

use std::sync::Arc;

use anyhow::Result;
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use vintedbot_domain::clock::{Clock as _, Millis};
use vintedbot_domain::{Context, Error, Reason, identity};

use super::template::{EPOCH, Pair, client};
use crate::sim::clock::SimClock;

/// The maximum number of times that the client uses its tokens and refreshes them, before the last refresh.
const ROUNDS: u32 = 5;
/// The calls of a round: browser tabs that notice the expired access token at the same time.
const CALLS: usize = 4;
/// The longest use of tokens between two rounds. An access token expires in it.
const USE: Millis = 20 * 60_000;
/// The time within which the client repeats calls whose answers are all lost.
const REPEATS_WITHIN: Millis = 25_000;
/// The time within which a delayed call arrives.
const ARRIVES_WITHIN: Millis = 29_000;
/// The time within which the newest token's predecessor returns the same tokens.
const GRACE: Millis = 30_000;
/// The longest time until the thief acts. The access tokens have not expired by then.
const THEFT_WITHIN: Millis = 60_000;
/// Each call of a round first yields to other tasks fewer than this many times, so that their order varies.
const YIELDS: u32 = 8;

/// The end of an interleaving that did not go well.
pub enum Harm {
    /// The honest client lost its session.
    Killed(String),
    /// A replayed token was not detected, or did not end the session.
    Replayed(String),
    /// The interleaving could not be run.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Harm {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Plays the interleaving with this seed, with a session that nothing else uses.
pub async fn play(context: &Context, signed_in: &Pair, seed: u64) -> Result<(), Harm> {
    let clock = Arc::new(SimClock::at(EPOCH));
    let mut session = Session {
        context: Context {
            store: context.store.clone().with_clock(clock.clone()),
            clock: clock.clone(),
            ..context.clone()
        },
        clock,
        random: StdRng::seed_from_u64(seed),
        pairs: vec![signed_in.clone()],
        rotate_time: EPOCH,
    };
    session.live().await?;
    session.steal().await
}

struct Session {
    context: Context,
    clock: Arc<SimClock>,
    random: StdRng,
    /// The tokens that the client received, oldest first.
    pairs: Vec<Pair>,
    /// The time of the first call with the newest token's predecessor.
    rotate_time: Millis,
}

impl Session {
    /// Acts as the honest client.
    async fn live(&mut self) -> Result<(), Harm> {
        for _ in 0..self.random.random_range(1..=ROUNDS) {
            self.wait(USE);
            self.round().await?;
            self.use_newest().await?;
        }
        self.wait(USE);
        self.rotate_time = self.clock.now();
        let mut next = None;
        self.call(1, &mut next).await?;
        self.pairs.extend(next);
        self.use_newest().await
    }

    /// Refreshes with simultaneous calls until an answer arrives, and continues with the tokens in it.
    async fn round(&mut self) -> Result<(), Harm> {
        let is_one_late = self.random.random_bool(0.25);
        let calls = CALLS - usize::from(is_one_late);
        let mut left = REPEATS_WITHIN;
        self.rotate_time = self.clock.now();
        let mut next = None;
        loop {
            self.call(calls, &mut next).await?;
            // Each answer is lost with a probability of one half.
            if (0..calls).any(|_| self.random.random_bool(0.5)) {
                break;
            }
            left -= self.wait(left);
        }
        if is_one_late {
            let passed = self.clock.now() - self.rotate_time;
            self.wait(ARRIVES_WITHIN - passed);
            self.call(1, &mut next).await?;
        }
        self.pairs.extend(next);
        Ok(())
    }

    /// Makes simultaneous calls with the client's newest token. All answers must contain the same tokens. `next`
    /// contains the tokens that earlier calls with this token returned.
    async fn call(&mut self, count: usize, next: &mut Option<Pair>) -> Result<(), Harm> {
        let token = self.newest().refresh.clone();
        let calls = (0..count).map(|_| {
            let (context, token) = (self.context.clone(), token.clone());
            let yields = self.random.random_range(0..YIELDS);
            tokio::spawn(async move {
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
                refresh(&context, &token).await
            })
        });
        let calls: Vec<_> = calls.collect();
        for answer in try_join_all(calls).await.map_err(anyhow::Error::from)? {
            let pair = answer?.map_err(|reason| {
                let passed = self.clock.now() - self.rotate_time;
                Harm::Killed(format!(
                    "the client is refused with {reason:?}, {passed} ms after its first call"
                ))
            })?;
            if *next.get_or_insert_with(|| pair.clone()) != pair {
                return Err(Harm::Killed("equal calls return different tokens".to_owned()));
            }
        }
        Ok(())
    }

    /// Makes a call with the newest access token.
    async fn use_newest(&self) -> Result<(), Harm> {
        let used = authenticate(&self.context, &self.newest().access).await?;
        used.map_err(|reason| Harm::Killed(format!("the newest access token is refused with {reason:?}")))
    }

    /// Acts as the thief: replays a token that is at least two generations old, or the newest token's predecessor after
    /// the grace period. The session must then have ended for the thief and the client.
    async fn steal(&mut self) -> Result<(), Harm> {
        let newest = self.pairs.len() - 1;
        self.wait(THEFT_WITHIN);
        let stolen = if self.random.random_bool(0.5) {
            self.random.random_range(0..newest - 1)
        } else {
            // The grace period includes its last moment.
            self.clock.advance(GRACE + 1);
            newest - 1
        };
        match refresh(&self.context, &self.pairs[stolen].refresh).await? {
            Err(Reason::RefreshTokenReused) => {}
            answer => {
                let generations = newest - stolen;
                let answer = answer.map_or_else(|reason| format!("{reason:?}"), |_| "new tokens".to_owned());
                return Err(Harm::Replayed(format!(
                    "a token that is {generations} generations old gets {answer}"
                )));
            }
        }
        if refresh(&self.context, &self.newest().refresh).await?.is_ok() {
            return Err(Harm::Replayed(
                "the session is refreshed after a replay".to_owned(),
            ));
        }
        for pair in &self.pairs[newest - 1..] {
            if authenticate(&self.context, &pair.access).await?.is_ok() {
                return Err(Harm::Replayed("an access token works after a replay".to_owned()));
            }
        }
        Ok(())
    }

    fn newest(&self) -> &Pair {
        self.pairs
            .last()
            .expect("it begins with the tokens of the sign-in")
    }

    /// Advances the clock by a random time. Returns that time.
    fn wait(&mut self, most: Millis) -> Millis {
        let time = self.random.random_range(0..=most);
        self.clock.advance(time);
        time
    }
}

/// Refreshes the session. Returns the new tokens, or the reason of a refusal.
async fn refresh(context: &Context, token: &str) -> Result<Result<Pair, Reason>> {
    let refreshed = identity::refresh_session(context, &client(), token).await;
    refused(refreshed.map(|tokens| Pair::from(&tokens)))
}

/// Authenticates a call. Returns the reason of a refusal.
async fn authenticate(context: &Context, access: &str) -> Result<Result<(), Reason>> {
    refused(identity::authenticate(context, Some(access)).await.map(drop))
}

/// Separates a refusal from an error that says nothing about the session.
fn refused<T>(result: Result<T, Error>) -> Result<Result<T, Reason>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.reason() {
            Some(reason) => Ok(Err(reason)),
            None => Err(error.into()),
        },
    }
}
