//! Reads the inboxes of accounts, and marks threads as read on the site.

use std::collections::HashSet;
use std::sync::Arc;

use vintedbot_domain::inbox::sync::photos::{self, Fetched, Waiting};
use vintedbot_domain::inbox::sync::read_mark;
use vintedbot_domain::inbox::sync::work::{self, Begun, Counts, Ended};
use vintedbot_domain::jobs::{Answer, Claim, Outcome};
use vintedbot_domain::media::{self, NewPhoto};
use vintedbot_domain::{Error, Reason, Result};
use vintedbot_marketplace::{Error as SiteError, InboxPage, InboxRow};

use crate::wardrobe::{release, renew_lease};
use crate::{Worker, accounts, sessions};

/// The maximum pages of one reading. A site that returns more is not trusted.
const PAGES_MAX: u32 = 1_000;
/// The number of conversations of unknown shape at which the reading stops, because the site's format has probably
/// changed.
const UNREADABLE_MAX: u32 = 3;
/// The maximum photos that one reading fetches. The next reading fetches the others.
const PHOTOS_MAX: usize = 40;
/// The maximum attempts to mark a thread as read.
const MARKS_MAX: i64 = 3;

/// The reason for which a reading stops early.
enum Stop {
    Site(SiteError),
    Domain(Error),
    /// The process drains, or the claim is lost.
    Drained,
}

impl From<SiteError> for Stop {
    fn from(error: SiteError) -> Self {
        Self::Site(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Domain(error)
    }
}

/// Reads the changed parts of an account's inbox.
pub async fn sync(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let context = &worker.context;
    let Some(begun) = work::begin(context, claim).await? else {
        return Ok(());
    };
    let mut counts = Counts::default();
    let read = {
        let reading = async {
            let ended = read(worker, claim, &begun, &mut counts).await?;
            // The messages are stored at this point; photos must not delay them.
            fetch(worker, claim, &begun).await?;
            Ok(ended)
        };
        tokio::pin!(reading);
        tokio::select! {
            read = &mut reading => read,
            () = renew_lease(worker, claim) => Err(Stop::Drained),
        }
    };
    let ended = match read {
        Ok(ended) => ended,
        Err(Stop::Drained) => return release(worker, claim, Outcome::HandBack).await,
        Err(Stop::Domain(Error::Rejected(rejection))) => Ended::Late {
            reason: rejection.reason,
            message: rejection.message,
        },
        Err(Stop::Domain(error)) => return Err(error),
        Err(Stop::Site(error)) => late(worker, &begun, &error).await?,
    };
    work::end(context, claim, Some(&begun), &counts, ended).await
}

/// Converts an error of the site to the end of the reading, and applies a challenge to the account.
async fn late(worker: &Worker, begun: &Begun, error: &SiteError) -> Result<Ended> {
    if let SiteError::Challenge { verdict, .. } = error {
        accounts::challenged(worker, &begun.account_context.account_id, verdict).await?;
    }
    Ok(match sessions::refusal(error) {
        Answer::Refused { reason, message, .. } => Ended::Late { reason, message },
        Answer::Done => Ended::Late {
            reason: Reason::SiteUnavailable,
            message: error.to_string(),
        },
    })
}

/// Reads pages, and the changed conversations of each, until the following pages are known to be stored.
async fn read(
    worker: &Worker,
    claim: &Claim,
    begun: &Begun,
    counts: &mut Counts,
) -> std::result::Result<Ended, Stop> {
    let mut seen = HashSet::new();
    let mut watermark = None;
    let mut unreadable = Unreadable::default();
    for number in 1..=PAGES_MAX {
        if worker.drain.is_cancelled() {
            return Err(Stop::Drained);
        }
        let page = worker
            .marketplace
            .inbox_page(&begun.account_context, number)
            .await;
        counts.requests += 1;
        let page = page?;
        if number == 1 {
            if page.rows.is_empty() && page.unreadable == 0 && begun.has_threads {
                let message = "the site returned no conversations, but conversations are stored here";
                return Err(SiteError::Shape(message.to_owned()).into());
            }
            watermark = page.rows.iter().filter_map(|row| row.update_time).max();
        }
        unreadable.rows += page.unreadable;
        let seen_before = seen.len();
        seen.extend(page.rows.iter().map(|row| row.conversation_id.clone()));
        let is_new_page = seen.len() > seen_before;
        let changed = work::changed(&worker.context, begun, &page.rows).await?;
        let is_changed = changed.contains(&true);
        // Oldest first, so that the stored order follows the order of the conversations.
        let rows = page.rows.iter().zip(changed).rev();
        for (row, _) in rows.filter(|(_, is_changed)| *is_changed) {
            store_conversation(worker, claim, begun, counts, &mut unreadable, &page, row).await?;
        }
        if !is_new_page && page.has_more == Some(true) {
            // The site claims that more pages follow, but repeats earlier rows.
            return Ok(unending());
        }
        if !is_new_page || !goes_on(begun, number, &page, is_changed) {
            return Ok(unreadable.ended(watermark));
        }
    }
    Ok(unending())
}

/// The result of a reading whose pages do not end. The pages after them are not stored, so the reading is incomplete.
fn unending() -> Ended {
    Ended::Late {
        reason: Reason::SiteResponseUnexpected,
        message: "the pages of the inbox do not end; the conversations that were read are stored".to_owned(),
    }
}

/// The parts of a reading that could not be parsed.
#[derive(Default)]
struct Unreadable {
    rows: u32,
    conversations: u32,
    message: String,
}

impl Unreadable {
    fn ended(self, watermark: Option<i64>) -> Ended {
        if self.rows + self.conversations == 0 {
            return Ended::Complete { watermark };
        }
        let message = format!(
            "{} rows of the inbox and {} conversations could not be parsed; everything else is stored. {}",
            self.rows, self.conversations, self.message
        );
        Ended::Late {
            reason: Reason::SiteResponseUnexpected,
            message: message.trim_end().to_owned(),
        }
    }
}

/// Returns whether the next page may contain something that is not stored.
fn goes_on(begun: &Begun, number: u32, page: &InboxPage, is_changed: bool) -> bool {
    let Some(last) = page.rows.last() else {
        return false;
    };
    if page.has_more == Some(false) {
        return false;
    }
    if begun.is_full {
        return true;
    }
    let is_covered = |row: &InboxRow| row.update_time.is_none_or(|time| time <= begun.watermark);
    if number == 1 && !is_changed && page.rows.iter().all(is_covered) {
        return false;
    }
    last.update_time.is_none_or(|time| time >= begun.watermark)
}

/// Reads one conversation and stores it. A conversation of unknown shape does not stop the reading.
async fn store_conversation(
    worker: &Worker,
    claim: &Claim,
    begun: &Begun,
    counts: &mut Counts,
    unreadable: &mut Unreadable,
    page: &InboxPage,
    row: &InboxRow,
) -> std::result::Result<(), Stop> {
    if worker.drain.is_cancelled() {
        return Err(Stop::Drained);
    }
    let reading = worker
        .marketplace
        .conversation(&begun.account_context, &row.conversation_id)
        .await;
    counts.requests += 1;
    let conversation = match reading {
        Ok(Some(conversation)) => conversation,
        // The conversation was listed and has disappeared. Its stored messages are kept.
        Ok(None) => return Ok(()),
        Err(SiteError::Shape(message)) if unreadable.conversations + 1 < UNREADABLE_MAX => {
            unreadable.conversations += 1;
            unreadable.message = message;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let stored = work::store(&worker.context, claim, begun, row, page.site_time, &conversation).await?;
    let stored = stored.ok_or_else(work::moved)?;
    counts.new_threads += i64::from(stored.is_new);
    counts.new_messages += stored.new_messages;
    Ok(())
}

/// Fetches photos of messages. A failure of one photo is stored with it. If the site is unreachable or shows a
/// challenge, fetching ends for now.
async fn fetch(worker: &Worker, claim: &Claim, begun: &Begun) -> std::result::Result<(), Stop> {
    let context = &worker.context;
    for photo in photos::waiting(context, begun, PHOTOS_MAX).await? {
        if worker.drain.is_cancelled() {
            return Err(Stop::Drained);
        }
        let Some(fetched) = fetch_one(worker, begun, &photo).await? else {
            return Ok(());
        };
        photos::settle(context, claim, begun, &photo, fetched).await?;
    }
    Ok(())
}

/// Fetches one photo. Returns `None` if nothing can be stored at present because of this machine, such as a full disk.
async fn fetch_one(worker: &Worker, begun: &Begun, photo: &Waiting) -> Result<Option<Fetched>> {
    let context = &worker.context;
    let max_bytes = usize::try_from(context.photo_limits.max_bytes).unwrap_or(usize::MAX);
    let bytes = match worker
        .marketplace
        .photo(&begun.account_context, &photo.url, max_bytes)
        .await
    {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("the photo could not be fetched: {error}");
            return Ok(Some(Fetched::NotNow { message }));
        }
    };
    let new = NewPhoto {
        bytes,
        file_name: format!("message-{}-{}.jpg", photo.message_id, photo.position),
    };
    Ok(match media::store(context, &begun.workspace_id, new).await {
        Ok(stored) => Some(Fetched::Stored {
            photo_id: stored.photo.id,
        }),
        Err(Error::Rejected(rejection))
            if matches!(rejection.reason, Reason::StorageFull | Reason::RateLimited) =>
        {
            tracing::warn!(
                message = rejection.message,
                "photos of messages are fetched later"
            );
            None
        }
        Err(Error::Rejected(rejection)) => Some(Fetched::Never {
            message: rejection.message,
        }),
        Err(Error::Photo(error)) => Some(Fetched::Never {
            message: error.to_string(),
        }),
        Err(error) => return Err(error),
    })
}

/// Marks a thread as read on the site. Nothing depends on it, so failures are only logged.
pub async fn mark_read(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let context = &worker.context;
    let Some(mark) = read_mark::wanted(context, claim).await? else {
        return release(worker, claim, Outcome::Done).await;
    };
    let is_last = claim.job.failures + 1 >= MARKS_MAX || claim.job.claims > MARKS_MAX;
    let marking = worker
        .marketplace
        .mark_read(&mark.account_context, &mark.remote_id);
    let outcome = tokio::select! {
        marked = marking => match marked {
            Ok(()) => {
                read_mark::marked(context, claim).await?;
                Outcome::Done
            }
            Err(SiteError::Challenge { verdict, .. }) => {
                accounts::challenged(worker, &mark.account_context.account_id, &verdict).await?;
                Outcome::Done
            }
            Err(SiteError::Unavailable(error)) if !is_last => Outcome::Retry { error },
            Err(error @ (SiteError::SessionBusy | SiteError::Sessions(_))) if !is_last => Outcome::Retry {
                error: error.to_string(),
            },
            Err(error) => {
                tracing::debug!(%error, "a thread was not marked as read on the site");
                Outcome::Done
            }
        },
        () = renew_lease(worker, claim) => return Ok(()),
        () = worker.drain.cancelled() => Outcome::HandBack,
    };
    release(worker, claim, outcome).await
}
