//! The handler of wardrobe imports: the account's items are read one by one, and become listings or are compared with theirs.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use vintedbot_domain::jobs::{Claim, Outcome};
use vintedbot_domain::publishing::outcome::Next;
use vintedbot_domain::wardrobe::Vocabulary;
use vintedbot_domain::wardrobe::items::{self, Known, Placed};
use vintedbot_domain::wardrobe::work::{self, Begun};
use vintedbot_domain::{Reason, Result, accounts};
use vintedbot_marketplace::challenge::AccountFollows;
use vintedbot_marketplace::{Error as SiteError, OwnItem, RemoteItem};

use crate::{Worker, photos, publishing};

/// How often progress is told: after so many items, or so much time.
const TOLD_EVERY: i64 = 10;
const TOLD_AFTER_MS: i64 = 1_000;

/// Why an import stops early.
enum Stop {
    Site(SiteError),
    Domain(vintedbot_domain::Error),
    /// The process is to end, or the claim is lost.
    Drained,
}

impl From<SiteError> for Stop {
    fn from(error: SiteError) -> Self {
        Self::Site(error)
    }
}

impl From<vintedbot_domain::Error> for Stop {
    fn from(error: vintedbot_domain::Error) -> Self {
        Self::Domain(error)
    }
}

/// Reads the wardrobe of a claimed import, and lets go of it.
pub async fn run(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let domain = &worker.domain;
    let Some(mut begun) = work::begin(domain, claim).await? else {
        return Ok(());
    };
    let read = {
        let reading = read(worker, claim, &mut begun);
        tokio::pin!(reading);
        tokio::select! {
            read = &mut reading => read,
            () = keep(worker, claim) => Err(Stop::Drained),
        }
    };
    match read {
        Ok(()) => work::end(domain, claim, &begun, Ok(())).await,
        Err(Stop::Drained) => let_go(worker, claim, Outcome::HandBack).await,
        Err(Stop::Domain(error)) => Err(error),
        Err(Stop::Site(error)) => stopped(worker, claim, &begun, &error).await,
    }
}

/// Renews a claim until it is lost.
pub async fn keep(worker: &Worker, claim: &Claim) {
    let settings = &worker.domain.settings;
    let heartbeat = Duration::from_millis(u64::try_from(settings.heartbeat_ms).unwrap_or(1_000));
    loop {
        tokio::time::sleep(heartbeat).await;
        match claim.renew(&worker.domain.store, settings.lease_ms).await {
            Ok(true) => {}
            Ok(false) => return tracing::warn!("a claim was lost; its successor goes on"),
            Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
        }
    }
}

async fn read(worker: &Worker, claim: &Claim, begun: &mut Begun) -> std::result::Result<(), Stop> {
    let domain = &worker.domain;
    let wardrobe = worker.marketplace.wardrobe(&begun.seat).await?;
    begun.counts.total = i64::try_from(wardrobe.len()).unwrap_or(i64::MAX);
    work::progress(domain, claim, begun).await?;
    let mut told = (0, domain.store.now().await?);
    // The oldest first, so that listings stand in the order of the wardrobe.
    for listed in wardrobe.iter().rev() {
        if worker.drain.is_cancelled() {
            return Err(Stop::Drained);
        }
        bring(worker, claim, begun, listed).await?;
        begun.counts.done += 1;
        let now = domain.store.now().await?;
        if begun.counts.done - told.0 >= TOLD_EVERY || now - told.1 >= TOLD_AFTER_MS {
            work::progress(domain, claim, begun).await?;
            told = (begun.counts.done, now);
        }
    }
    let ids: Vec<String> = wardrobe.into_iter().map(|item| item.id).collect();
    for listing in items::missing(domain, begun, &ids).await? {
        let item_id = listing.remote.as_ref().map(|remote| remote.item_id.clone());
        let item_id = item_id.unwrap_or_default();
        match worker.marketplace.own_item(&begun.seat, &item_id, None).await {
            Ok(None) => {
                items::gone(domain, claim, begun, &listing).await?;
                begun.counts.differing += 1;
            }
            // It is there all the same: the list was behind.
            Ok(Some(_)) => {}
            Err(error) if is_about_the_item(&error) => begun.counts.problem(&item_id, &error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Brings one item, or compares it with its listing. What is wrong with it alone is noted, and stops nothing.
async fn bring(
    worker: &Worker,
    claim: &Claim,
    begun: &mut Begun,
    listed: &RemoteItem,
) -> std::result::Result<(), Stop> {
    let (domain, item_id) = (&worker.domain, listed.id.as_str());
    // Before the item is read: a listing that changes meanwhile is not compared with what is older.
    let known = items::known(domain, begun, item_id).await?;
    if matches!(known, Known::Ours) {
        return Ok(());
    }
    let reading = worker.marketplace.own_item(&begun.seat, item_id, Some(listed));
    let item = match reading.await {
        Ok(Some(item)) => item,
        Ok(None) => {
            begun.counts.failed += 1;
            begun
                .counts
                .problem(item_id, "it was listed, and is not there any more");
            return Ok(());
        }
        Err(error) if is_about_the_item(&error) => {
            begun.counts.failed += 1;
            begun.counts.problem(item_id, &error.to_string());
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    match known {
        Known::Listing(listing) => {
            let fetched = match items::has_other_photos(&listing, &item) {
                true => fetch(worker, begun, &item).await?.all(),
                false => None,
            };
            let words = Vocabulary::of(domain, &begun.seat.site, begun.seat.language).await;
            let words = words.as_words();
            if items::compare_known(domain, claim, begun, &listing, &item, fetched, words).await? {
                begun.counts.differing += 1;
            }
        }
        Known::New => {
            let fetched = fetch(worker, begun, &item).await?;
            match items::place(domain, claim, begun, &item, &fetched.photo_ids).await? {
                Placed::Created => begun.counts.created += 1,
                Placed::Known => {}
                Placed::Undecided => begun.counts.problem(
                    item_id,
                    "left for a later import: a publication of the account is undecided",
                ),
            }
        }
        Known::Ours => {}
    }
    Ok(())
}

async fn fetch(
    worker: &Worker,
    begun: &mut Begun,
    item: &OwnItem,
) -> std::result::Result<photos::Fetched, Stop> {
    let fetched = photos::fetch(worker, &begun.seat, &begun.owner_id, item).await?;
    for problem in &fetched.problems {
        begun.counts.problem(&item.id, problem);
    }
    Ok(fetched)
}

/// Whether an error is about one item, and the others may be read all the same.
fn is_about_the_item(error: &SiteError) -> bool {
    matches!(error, SiteError::Shape(_) | SiteError::NotFound { .. })
}

async fn stopped(worker: &Worker, claim: &Claim, begun: &Begun, error: &SiteError) -> Result<()> {
    let domain = &worker.domain;
    match publishing::next_of(domain, error).await? {
        Next::Quiet { until } => {
            let account_id = begun.account.id.clone();
            domain
                .store
                .write(move |tx| {
                    let account_id = account_id.clone();
                    async move { accounts::keep_quiet(tx, &account_id, until).await }.boxed()
                })
                .await?;
            let_go(worker, claim, Outcome::At(until)).await
        }
        Next::Again { message, reason } if claim.job.failures + 1 >= domain.settings.max_failures => {
            work::end(domain, claim, begun, Err((reason, message))).await
        }
        Next::Again { message, .. } => let_go(worker, claim, Outcome::Retry { error: message }).await,
        Next::Blocked {
            reason,
            message,
            account,
        } => {
            if account != AccountFollows::GoesOn {
                let (account_id, why) = (begun.account.id.clone(), message.clone());
                domain
                    .store
                    .write(move |tx| {
                        let (account_id, why) = (account_id.clone(), why.clone());
                        async move { accounts::pause(tx, &account_id, reason, &why, None).await }.boxed()
                    })
                    .await?;
            }
            work::end(domain, claim, begun, Err((reason, message))).await
        }
        Next::Failed { reason, message } => work::end(domain, claim, begun, Err((reason, message))).await,
        _ => {
            let message = error.to_string();
            work::end(domain, claim, begun, Err((Reason::SiteUnavailable, message))).await
        }
    }
}

/// Lets go of a claim that is still held.
pub async fn let_go(worker: &Worker, claim: &Claim, outcome: Outcome) -> Result<()> {
    let (claim, back_off) = (claim.clone(), worker.domain.settings.back_off());
    worker
        .domain
        .store
        .write(move |tx| {
            let (claim, outcome) = (claim.clone(), outcome.clone());
            async move {
                if claim.require_held(tx).await.is_err() {
                    return Ok(());
                }
                claim.finish(tx, &outcome, &back_off).await
            }
            .boxed()
        })
        .await
}
