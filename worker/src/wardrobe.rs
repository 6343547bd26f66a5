//! The handler of wardrobe imports: reads the account's items one by one, and creates listings or compares known ones.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use vintedbot_domain::jobs::{Claim, Outcome};
use vintedbot_domain::publishing::outcome::FollowUp;
use vintedbot_domain::wardrobe::Vocabulary;
use vintedbot_domain::wardrobe::items::{self, Known, Placed};
use vintedbot_domain::wardrobe::work::{self, Begun};
use vintedbot_domain::{Reason, Result, accounts};
use vintedbot_marketplace::challenge::AccountAction;
use vintedbot_marketplace::{Error as SiteError, OwnItem, RemoteItem};

use crate::{Worker, photos, publishing};

/// The intervals between progress events: a number of items, or a time.
const PROGRESS_ITEMS: i64 = 10;
const PROGRESS_MS: i64 = 1_000;

/// The reason for which an import stops early.
enum Stop {
    Site(SiteError),
    Domain(vintedbot_domain::Error),
    /// The process drains, or the claim is lost.
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

/// Reads the wardrobe of a claimed import and releases the claim.
pub async fn run(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let context = &worker.context;
    let Some(mut begun) = work::begin(context, claim).await? else {
        return Ok(());
    };
    let read = {
        let reading = read(worker, claim, &mut begun);
        tokio::pin!(reading);
        tokio::select! {
            read = &mut reading => read,
            () = renew_lease(worker, claim) => Err(Stop::Drained),
        }
    };
    match read {
        Ok(()) => work::end(context, claim, &begun, Ok(())).await,
        Err(Stop::Drained) => release(worker, claim, Outcome::HandBack).await,
        Err(Stop::Domain(error)) => Err(error),
        Err(Stop::Site(error)) => stopped(worker, claim, &begun, &error).await,
    }
}

/// Renews a claim until it is lost.
pub async fn renew_lease(worker: &Worker, claim: &Claim) {
    let settings = &worker.context.settings;
    let heartbeat = Duration::from_millis(u64::try_from(settings.jobs.heartbeat_ms).unwrap_or(1_000));
    loop {
        tokio::time::sleep(heartbeat).await;
        match claim.renew(&worker.context.store, settings.jobs.lease_ms).await {
            Ok(true) => {}
            Ok(false) => return tracing::warn!("a claim was lost; its new holder continues"),
            Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
        }
    }
}

async fn read(worker: &Worker, claim: &Claim, begun: &mut Begun) -> std::result::Result<(), Stop> {
    let context = &worker.context;
    let wardrobe = worker.marketplace.wardrobe(&begun.account_context).await?;
    begun.counts.total = i64::try_from(wardrobe.len()).unwrap_or(i64::MAX);
    work::progress(context, claim, begun).await?;
    let mut last_progress = (0, context.store.now().await?);
    // Oldest first, so that listings have the order of the wardrobe.
    for listed in wardrobe.iter().rev() {
        if worker.drain.is_cancelled() {
            return Err(Stop::Drained);
        }
        import_item(worker, claim, begun, listed).await?;
        begun.counts.done += 1;
        let now = context.store.now().await?;
        if begun.counts.done - last_progress.0 >= PROGRESS_ITEMS || now - last_progress.1 >= PROGRESS_MS {
            work::progress(context, claim, begun).await?;
            last_progress = (begun.counts.done, now);
        }
    }
    let ids: Vec<String> = wardrobe.into_iter().map(|item| item.id).collect();
    for listing in items::missing(context, begun, &ids).await? {
        let item_id = listing.remote.as_ref().map(|remote| remote.item_id.clone());
        let item_id = item_id.unwrap_or_default();
        match worker
            .marketplace
            .own_item(&begun.account_context, &item_id, None)
            .await
        {
            Ok(None) => {
                items::gone(context, claim, begun, &listing).await?;
                begun.counts.differing += 1;
            }
            // The item exists; the list was outdated.
            Ok(Some(_)) => {}
            Err(error) if is_about_the_item(&error) => begun.counts.problem(&item_id, &error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Imports one item, or compares it with its listing. A problem of this item alone is recorded and does not stop the
/// import.
async fn import_item(
    worker: &Worker,
    claim: &Claim,
    begun: &mut Begun,
    listed: &RemoteItem,
) -> std::result::Result<(), Stop> {
    let (context, item_id) = (&worker.context, listed.id.as_str());
    // Must be read before the item, so that a listing that changes in between is not compared with older data.
    let known = items::known(context, begun, item_id).await?;
    if matches!(known, Known::Ours) {
        return Ok(());
    }
    let reading = worker
        .marketplace
        .own_item(&begun.account_context, item_id, Some(listed));
    let item = match reading.await {
        Ok(Some(item)) => item,
        Ok(None) => {
            begun.counts.failed += 1;
            begun
                .counts
                .problem(item_id, "the item was listed, but no longer exists");
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
            let words = Vocabulary::of(
                context,
                &begun.account_context.site,
                begun.account_context.language,
            )
            .await;
            let words = words.as_words();
            if items::compare_known(context, claim, begun, &listing, &item, fetched, words).await? {
                begun.counts.differing += 1;
            }
        }
        Known::New => {
            let fetched = fetch(worker, begun, &item).await?;
            match items::place(context, claim, begun, &item, &fetched.photo_ids).await? {
                Placed::Created => begun.counts.created += 1,
                Placed::Known => {}
                Placed::Undecided => begun.counts.problem(
                    item_id,
                    "skipped until a later import, because a publication of the account is in doubt",
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
    let fetched = photos::fetch(worker, &begun.account_context, &begun.workspace_id, item).await?;
    for problem in &fetched.problems {
        begun.counts.problem(&item.id, problem);
    }
    Ok(fetched)
}

/// Returns whether an error concerns only one item, so that the others can still be read.
fn is_about_the_item(error: &SiteError) -> bool {
    matches!(error, SiteError::Shape(_) | SiteError::NotFound { .. })
}

async fn stopped(worker: &Worker, claim: &Claim, begun: &Begun, error: &SiteError) -> Result<()> {
    let context = &worker.context;
    match publishing::next_of(context, error).await? {
        FollowUp::Cooldown { until } => {
            let account_id = begun.account.id.clone();
            context
                .store
                .write(move |tx| {
                    let account_id = account_id.clone();
                    async move { accounts::start_cooldown(tx, &account_id, until).await }.boxed()
                })
                .await?;
            release(worker, claim, Outcome::At(until)).await
        }
        FollowUp::Retry { message, reason }
            if claim.job.failures + 1 >= context.settings.jobs.max_failures =>
        {
            work::end(context, claim, begun, Err((reason, message))).await
        }
        FollowUp::Retry { message, .. } => release(worker, claim, Outcome::Retry { error: message }).await,
        FollowUp::Blocked {
            reason,
            message,
            account,
        } => {
            if account != AccountAction::Continue {
                let (account_id, why) = (begun.account.id.clone(), message.clone());
                context
                    .store
                    .write(move |tx| {
                        let (account_id, why) = (account_id.clone(), why.clone());
                        async move { accounts::pause(tx, &account_id, reason, &why, None).await }.boxed()
                    })
                    .await?;
            }
            work::end(context, claim, begun, Err((reason, message))).await
        }
        FollowUp::Failed { reason, message } => {
            work::end(context, claim, begun, Err((reason, message))).await
        }
        _ => {
            let message = error.to_string();
            work::end(context, claim, begun, Err((Reason::SiteUnavailable, message))).await
        }
    }
}

/// Releases a claim if it is still held.
pub async fn release(worker: &Worker, claim: &Claim, outcome: Outcome) -> Result<()> {
    let (claim, backoff) = (claim.clone(), worker.context.settings.backoff());
    worker
        .context
        .store
        .write(move |tx| {
            let (claim, outcome) = (claim.clone(), outcome.clone());
            async move {
                if claim.require_held(tx).await.is_err() {
                    return Ok(());
                }
                claim.finish(tx, &outcome, &backoff).await
            }
            .boxed()
        })
        .await
}
