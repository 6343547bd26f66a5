//! Sellers who publish, answer and read repeatedly. Each action is followed until it ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{ConfirmPublishRequest, PreparePublishRequest, SendReplyRequest, reply};
use vintedbot_sdk::{Client, RetryPolicy, Upload};

use crate::cluster::{Cluster, Seller};
use crate::photos;

/// The time limit of an action, including faults.
const PATIENCE: Duration = Duration::from_secs(150);
const LOOK_EVERY: Duration = Duration::from_millis(60);
/// The wait before a failed call is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// An action that a seller wanted on the site.
#[derive(Clone, Debug)]
pub struct Pursued {
    /// The title of an item or the text of a reply; it is unique.
    pub text: String,
    pub is_reply: bool,
    /// `None`: the instance reports success. Otherwise the last known state.
    pub trouble: Option<String>,
}

#[derive(Default)]
struct Observed {
    /// The start and end of each action.
    acts: Vec<(Instant, Instant)>,
    /// The number of failed calls, by error.
    errors: BTreeMap<String, u64>,
    pursued: Vec<Pursued>,
    /// For each seller, when its last complete round began.
    rounds: Vec<Option<Instant>>,
}

/// All sellers and their observations.
pub struct Load {
    stop: CancellationToken,
    sellers: Vec<JoinHandle<()>>,
    seen: Arc<Mutex<Observed>>,
}

impl Load {
    /// Creates the sellers and starts them.
    ///
    /// # Errors
    ///
    /// Fails if an account is not connected or no buyer's question arrives.
    pub async fn start(cluster: &Cluster, url: &str, sellers: usize) -> Result<Self> {
        let patient = cluster.client(url)?;
        let token = cluster.servers[0].token_file();
        let hasty = Client::builder(url)
            .token_file(token)
            .timeout(Duration::from_secs(5))
            .retry(RetryPolicy::never())
            .lazy()?;
        let made = (0..sellers).map(async |number| {
            let seller = Seller::start(&patient, &format!("Seller {number}")).await?;
            let thread = seller.asked(cluster.site()).await?;
            Ok::<_, anyhow::Error>((seller, thread))
        });
        let made = try_join_all(made).await.context("cannot set up the sellers")?;
        let (stop, seen) = (
            CancellationToken::new(),
            Arc::new(Mutex::new(Observed::default())),
        );
        lock(&seen).rounds = vec![None; sellers];
        let sellers = made
            .into_iter()
            .enumerate()
            .map(|(number, (seller, thread))| {
                let one = One {
                    number,
                    seller,
                    thread,
                    client: hasty.clone(),
                    seen: Arc::clone(&seen),
                };
                tokio::spawn(one.run(stop.clone()))
            })
            .collect();
        Ok(Self { stop, sellers, seen })
    }

    /// Returns the actions per second that ended in this period.
    pub fn rate(&self, from: Instant, to: Instant) -> f64 {
        let seen = lock(&self.seen);
        let count = seen
            .acts
            .iter()
            .filter(|(_, end)| (from..to).contains(end))
            .count();
        count as f64 / (to - from).as_secs_f64()
    }

    /// Returns the number of failed calls so far.
    pub fn errors(&self) -> u64 {
        lock(&self.seen).errors.values().sum()
    }

    /// Waits until every seller has completed a round that began after `time`. Returns when that was.
    pub async fn whole_round_after(&self, time: Instant) -> Instant {
        loop {
            let all = lock(&self.seen)
                .rounds
                .iter()
                .all(|began| began.is_some_and(|began| began >= time));
            if all {
                return Instant::now();
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Stops all sellers after their current round. Returns all actions.
    ///
    /// # Errors
    ///
    /// Fails if a seller's task failed.
    pub async fn finish(self) -> Result<Vec<Pursued>> {
        self.stop.cancel();
        for seller in self.sellers {
            seller.await?;
        }
        let mut seen = lock(&self.seen);
        for (error, count) in &seen.errors {
            eprintln!("failed calls: {count} times {error}");
        }
        Ok(std::mem::take(&mut seen.pursued))
    }
}

/// Repeats a call until it is answered, as a client with a bad connection does.
macro_rules! insist {
    ($self:expr, $call:expr) => {
        loop {
            match $call.await {
                Ok(answer) => break answer,
                Err(error) => $self.failed(&error).await,
            }
        }
    };
}

/// One seller.
struct One {
    number: usize,
    seller: Seller,
    thread: String,
    client: Client,
    seen: Arc<Mutex<Observed>>,
}

impl One {
    async fn run(self, stop: CancellationToken) {
        let mut round = 0_u64;
        while !stop.is_cancelled() {
            round += 1;
            let began = Instant::now();
            let word = SystemIds.id();
            let item = format!("Sweat {}", &word[word.len() - 12..]);
            let published = self.act(self.publish(&item)).await;
            self.pursued(item, false, published);
            let text = format!("Oui, encore disponible ! {}", &word[word.len() - 12..]);
            let answered = self.act(self.answer(&text)).await;
            self.pursued(text, true, answered);
            if round.is_multiple_of(3) {
                drop(self.act(self.read()).await);
            }
            drop(self.act(self.upload(round)).await);
            lock(&self.seen).rounds[self.number] = Some(began);
        }
    }

    async fn act(&self, act: impl Future<Output = Option<String>>) -> Option<String> {
        let began = Instant::now();
        let trouble = match tokio::time::timeout(PATIENCE, act).await {
            Ok(trouble) => trouble,
            Err(_) => Some("the action did not end in time".to_owned()),
        };
        lock(&self.seen).acts.push((began, Instant::now()));
        trouble
    }

    fn pursued(&self, text: String, is_reply: bool, trouble: Option<String>) {
        lock(&self.seen).pursued.push(Pursued {
            text,
            is_reply,
            trouble,
        });
    }

    async fn failed(&self, error: &vintedbot_sdk::Error) {
        *lock(&self.seen).errors.entry(error.to_string()).or_default() += 1;
        sleep(PAUSE).await;
    }

    async fn publish(&self, title: &str) -> Option<String> {
        let listing_request = SystemIds.id();
        let (prepare_request, confirm_request) = (SystemIds.id(), SystemIds.id());
        let publish = self.client.publish();
        let listings = self.client.listings();
        let listing = insist!(self, {
            let mut request = self.seller.listing(title);
            request.request_id.clone_from(&listing_request);
            listings.create(request)
        });
        let mut job = insist!(self, {
            let request = PreparePublishRequest {
                listing_id: listing.id.clone(),
                request_id: prepare_request.clone(),
                ..Default::default()
            };
            publish.prepare_publish(request)
        });
        let mut is_confirmed = false;
        loop {
            match job.state() {
                State::Published => return None,
                State::AwaitingConfirmation if !is_confirmed => {
                    insist!(self, {
                        let request = ConfirmPublishRequest {
                            job_id: job.id.clone(),
                            confirmation: job.confirmation.clone(),
                            dry_run: Some(false),
                            request_id: confirm_request.clone(),
                        };
                        publish.confirm_publish(request)
                    });
                    is_confirmed = true;
                }
                State::Failed | State::Cancelled | State::Expired | State::Blocked | State::Done => {
                    return Some(format!("{}: {}", job.state().as_str_name(), job.reason_message));
                }
                _ if job.requires_action => {
                    return Some(format!("a person is asked: {}", job.reason_message));
                }
                _ => sleep(LOOK_EVERY).await,
            }
            job = insist!(self, publish.get(job.id.clone()));
        }
    }

    async fn answer(&self, text: &str) -> Option<String> {
        let request_id = SystemIds.id();
        let inbox = self.client.inbox();
        let mut reply = insist!(self, {
            let request = SendReplyRequest {
                thread_id: self.thread.clone(),
                text: text.to_owned(),
                request_id: request_id.clone(),
                ..Default::default()
            };
            inbox.send_reply(request)
        });
        loop {
            match reply.state() {
                reply::State::Sent => return None,
                reply::State::Failed | reply::State::Blocked | reply::State::Cancelled => {
                    return Some(format!(
                        "{}: {}",
                        reply.state().as_str_name(),
                        reply.reason_message
                    ));
                }
                _ if reply.requires_action => {
                    return Some(format!("a person is asked: {}", reply.reason_message));
                }
                _ => sleep(LOOK_EVERY).await,
            }
            reply = insist!(self, inbox.reply(reply.id.clone()));
        }
    }

    async fn read(&self) -> Option<String> {
        let inbox = self.client.inbox();
        insist!(self, inbox.sync_now(&self.seller.account.id));
        None
    }

    async fn upload(&self, round: u64) -> Option<String> {
        let media = self.client.media();
        let photo = photos::jpeg(self.number as u64 * 1_000_000 + round, 40, 40).ok()?;
        insist!(self, media.upload(Upload::bytes(photo.clone())));
        None
    }
}

fn lock(seen: &Mutex<Observed>) -> std::sync::MutexGuard<'_, Observed> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
