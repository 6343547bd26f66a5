//! The honest client: it calls continuously, on a permanent connection and on new ones, and must be answered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use futures::TryStreamExt as _;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use vintedbot_sdk::v1::ListListingsRequest;
use vintedbot_sdk::{Client, RetryPolicy};

use super::stage::Stage;

const PAUSE: Duration = Duration::from_millis(20);
/// The limit for one call; longer than a person waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// The running client.
pub struct Honest {
    calling: JoinHandle<()>,
    ends: CancellationToken,
    seen: Arc<Observed>,
}

#[derive(Default)]
struct Observed {
    times: Mutex<Vec<Duration>>,
    failures: AtomicUsize,
    last_failure: Mutex<Option<String>>,
}

impl Honest {
    /// Starts to call.
    pub fn begin(stage: &Stage) -> Result<Self> {
        let seen = Arc::new(Observed::default());
        let ends = CancellationToken::new();
        let line = Line {
            url: stage.url(),
            token: stage.honest.clone(),
        };
        let standing = line.builder().lazy()?;
        let calling = tokio::spawn(call(standing, line, Arc::clone(&seen), ends.clone()));
        Ok(Self { calling, ends, seen })
    }

    /// Returns the number of calls that failed or took too long so far.
    pub fn failures(&self) -> usize {
        self.seen.failures.load(Ordering::Relaxed)
    }

    /// Returns the error of the last failed call.
    pub fn last_failure(&self) -> Option<String> {
        lock(&self.seen.last_failure).clone()
    }

    /// Stops calling. Returns the durations of the calls.
    pub async fn end(self) -> Result<Vec<Duration>> {
        self.ends.cancel();
        self.calling.await?;
        let times = std::mem::take(&mut *lock(&self.seen.times));
        if times.is_empty() {
            return Err(anyhow!("the honest client made no call"));
        }
        Ok(times)
    }
}

struct Line {
    url: String,
    token: String,
}

impl Line {
    fn builder(&self) -> vintedbot_sdk::ClientBuilder {
        Client::builder(&self.url)
            .token(&self.token)
            .retry(RetryPolicy::never())
    }
}

async fn call(standing: Client, line: Line, seen: Arc<Observed>, ends: CancellationToken) {
    for number in 0_usize.. {
        if ends.is_cancelled() {
            return;
        }
        let began = Instant::now();
        let answered = async {
            if number.is_multiple_of(2) {
                list(&standing).await
            } else {
                list(&line.builder().build().await?).await
            }
        };
        let failed = match timeout(PATIENCE, answered).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("the honest client is refused: {error:#}")),
            Err(_elapsed) => Some(format!("the honest client waits for more than {PATIENCE:?}")),
        };
        if let Some(failed) = failed {
            seen.failures.fetch_add(1, Ordering::Relaxed);
            *lock(&seen.last_failure) = Some(failed);
        }
        lock(&seen.times).push(began.elapsed());
        sleep(PAUSE).await;
    }
}

async fn list(client: &Client) -> Result<()> {
    let request = ListListingsRequest::default();
    let page = client.listings().list(request).try_collect::<Vec<_>>();
    page.await?;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
