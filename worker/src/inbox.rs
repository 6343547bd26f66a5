//! Reading the inboxes of accounts, and marking threads as read there.

use std::collections::HashSet;
use std::sync::Arc;

use vintedbot_domain::inbox::sync::photos::{self, Fetched, Waiting};
use vintedbot_domain::inbox::sync::read_mark;
use vintedbot_domain::inbox::sync::work::{self, Begun, Counts, Ended};
use vintedbot_domain::jobs::{Answer, Claim, Outcome};
use vintedbot_domain::media::{self, NewPhoto};
use vintedbot_domain::{Error, Reason, Result};
use vintedbot_marketplace::{Error as SiteError, InboxPage, InboxRow};

use crate::wardrobe::{keep, let_go};
use crate::{Worker, accounts, sessions};

/// Pages after which a site that goes on and on is not believed.
const PAGES_MAX: u32 = 1_000;
/// Conversations that may be of no known shape before it is believed that none is.
const ODD_MAX: u32 = 3;
/// Photos that one reading fetches; the next one fetches the rest.
const PHOTOS_MAX: usize = 40;
/// How often marking a thread is tried.
const MARKS_MAX: i64 = 3;

/// Why a reading stops early.
enum Stop {
    Site(SiteError),
    Domain(Error),
    /// The process is to end, or the claim is lost.
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

/// Reads an account's inbox, as far as something changed there.
pub async fn sync(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let domain = &worker.domain;
    let Some(begun) = work::begin(domain, claim).await? else {
        return Ok(());
    };
    let mut counts = Counts::default();
    let read = {
        let reading = async {
            let ended = read(worker, claim, &begun, &mut counts).await?;
            // The words are here; photos hold nobody up.
            fetch(worker, claim, &begun).await?;
            Ok(ended)
        };
        tokio::pin!(reading);
        tokio::select! {
            read = &mut reading => read,
            () = keep(worker, claim) => Err(Stop::Drained),
        }
    };
    let ended = match read {
        Ok(ended) => ended,
        Err(Stop::Drained) => return let_go(worker, claim, Outcome::HandBack).await,
        Err(Stop::Domain(Error::Rejected(rejection))) => Ended::Late {
            reason: rejection.reason,
            message: rejection.message,
        },
        Err(Stop::Domain(error)) => return Err(error),
        Err(Stop::Site(error)) => late(worker, &begun, &error).await?,
    };
    work::end(domain, claim, Some(&begun), &counts, ended).await
}

/// What an error of the site means for the reading, and for the account.
async fn late(worker: &Worker, begun: &Begun, error: &SiteError) -> Result<Ended> {
    if let SiteError::Challenge { verdict, .. } = error {
        accounts::challenged(worker, &begun.seat.account_id, verdict).await?;
    }
    Ok(match sessions::refusal(error) {
        Answer::Refused { reason, message, .. } => Ended::Late { reason, message },
        Answer::Done => Ended::Late {
            reason: Reason::SiteUnavailable,
            message: error.to_string(),
        },
    })
}

/// Reads pages until what follows is known to be here, and what changed on each.
async fn read(
    worker: &Worker,
    claim: &Claim,
    begun: &Begun,
    counts: &mut Counts,
) -> std::result::Result<Ended, Stop> {
    let mut seen = HashSet::new();
    let mut watermark = None;
    let mut odd = Odd::default();
    for number in 1..=PAGES_MAX {
        if worker.drain.is_cancelled() {
            return Err(Stop::Drained);
        }
        let page = worker.marketplace.inbox_page(&begun.seat, number).await;
        counts.requests += 1;
        let page = page?;
        if number == 1 {
            if page.rows.is_empty() && page.unreadable == 0 && begun.has_threads {
                let message = "there are conversations here, and the site says that there are none";
                return Err(SiteError::Shape(message.to_owned()).into());
            }
            watermark = page.rows.iter().filter_map(|row| row.update_time).max();
        }
        odd.rows += page.unreadable;
        let seen_before = seen.len();
        seen.extend(page.rows.iter().map(|row| row.conversation_id.clone()));
        let is_new_page = seen.len() > seen_before;
        let changed = work::changed(&worker.domain, begun, &page.rows).await?;
        let is_changed = changed.contains(&true);
        // The oldest first, so that what follows from another comes after it.
        let rows = page.rows.iter().zip(changed).rev();
        for (row, _) in rows.filter(|(_, is_changed)| *is_changed) {
            bring(worker, claim, begun, counts, &mut odd, &page, row).await?;
        }
        if !is_new_page && page.has_more == Some(true) {
            // It says that more follows, and shows the same again.
            return Ok(unending());
        }
        if !is_new_page || !goes_on(begun, number, &page, is_changed) {
            return Ok(odd.ended(watermark));
        }
    }
    Ok(unending())
}

/// Pages that lead nowhere: what is behind them is not here, so that nothing is said to be complete.
fn unending() -> Ended {
    Ended::Late {
        reason: Reason::SiteChanged,
        message: "the pages of the inbox do not come to an end; what was read is here".to_owned(),
    }
}

/// What could not be understood.
#[derive(Default)]
struct Odd {
    rows: u32,
    conversations: u32,
    message: String,
}

impl Odd {
    fn ended(self, watermark: Option<i64>) -> Ended {
        if self.rows + self.conversations == 0 {
            return Ended::Complete { watermark };
        }
        let message = format!(
            "{} rows of the inbox and {} conversations could not be understood; everything else is here. {}",
            self.rows, self.conversations, self.message
        );
        Ended::Late {
            reason: Reason::SiteChanged,
            message: message.trim_end().to_owned(),
        }
    }
}

/// Whether the next page may have something that is not here.
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

/// Reads one conversation and stores it. One of a shape that is not known holds up no other.
async fn bring(
    worker: &Worker,
    claim: &Claim,
    begun: &Begun,
    counts: &mut Counts,
    odd: &mut Odd,
    page: &InboxPage,
    row: &InboxRow,
) -> std::result::Result<(), Stop> {
    if worker.drain.is_cancelled() {
        return Err(Stop::Drained);
    }
    let reading = worker
        .marketplace
        .conversation(&begun.seat, &row.conversation_id)
        .await;
    counts.requests += 1;
    let conversation = match reading {
        Ok(Some(conversation)) => conversation,
        // It was listed and is gone: what is here of it stays.
        Ok(None) => return Ok(()),
        Err(SiteError::Shape(message)) if odd.conversations + 1 < ODD_MAX => {
            odd.conversations += 1;
            odd.message = message;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let stored = work::store(&worker.domain, claim, begun, row, page.site_time, &conversation).await?;
    let stored = stored.ok_or_else(work::moved)?;
    counts.new_threads += i64::from(stored.is_new);
    counts.new_messages += stored.new_messages;
    Ok(())
}

/// Fetches photos of messages. What goes wrong with one is written down with it; a site that cannot be reached, or wants a
/// person, ends it for now.
async fn fetch(worker: &Worker, claim: &Claim, begun: &Begun) -> std::result::Result<(), Stop> {
    let domain = &worker.domain;
    for photo in photos::waiting(domain, begun, PHOTOS_MAX).await? {
        if worker.drain.is_cancelled() {
            return Err(Stop::Drained);
        }
        let Some(fetched) = fetch_one(worker, begun, &photo).await? else {
            return Ok(());
        };
        photos::settle(domain, claim, begun, &photo, fetched).await?;
    }
    Ok(())
}

/// `None`: nothing can be stored at present, and it is nobody's fault but this machine's.
async fn fetch_one(worker: &Worker, begun: &Begun, photo: &Waiting) -> Result<Option<Fetched>> {
    let domain = &worker.domain;
    let max_bytes = usize::try_from(domain.photo_limits.max_bytes).unwrap_or(usize::MAX);
    let bytes = match worker.marketplace.photo(&begun.seat, &photo.url, max_bytes).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("it could not be fetched: {error}");
            return Ok(Some(Fetched::NotNow { message }));
        }
    };
    let new = NewPhoto {
        bytes,
        file_name: format!("message-{}-{}.jpg", photo.message_id, photo.place),
    };
    Ok(match media::store(domain, &begun.owner_id, new).await {
        Ok(stored) => Some(Fetched::Stored {
            photo_id: stored.photo.id,
        }),
        Err(Error::Rejected(rejection))
            if matches!(rejection.reason, Reason::StorageFull | Reason::RateLimited) =>
        {
            tracing::warn!(message = rejection.message, "photos of messages wait");
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

/// Marks a thread as read on the site. Nothing depends on it, so that it is given up without a word.
pub async fn mark_read(worker: &Arc<Worker>, claim: &Claim) -> Result<()> {
    let domain = &worker.domain;
    let Some(mark) = read_mark::wanted(domain, claim).await? else {
        return let_go(worker, claim, Outcome::Done).await;
    };
    let is_last = claim.job.failures + 1 >= MARKS_MAX || claim.job.claims > MARKS_MAX;
    let marking = worker.marketplace.mark_read(&mark.seat, &mark.remote_id);
    let outcome = tokio::select! {
        marked = marking => match marked {
            Ok(()) => {
                read_mark::marked(domain, claim).await?;
                Outcome::Done
            }
            Err(SiteError::Challenge { verdict, .. }) => {
                accounts::challenged(worker, &mark.seat.account_id, &verdict).await?;
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
        () = keep(worker, claim) => return Ok(()),
        () = worker.drain.cancelled() => Outcome::HandBack,
    };
    let_go(worker, claim, outcome).await
}
