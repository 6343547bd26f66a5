//! Measures the time from the moment when a commit can be read in the database until a watcher in another process
//! receives the event. A separate connection polls the database.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::TryStreamExt as _;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use tokio::time::{Instant, sleep, timeout};
use vintedbot_domain::store::Store;
use vintedbot_domain::store::entities::listings;
use vintedbot_sdk::v1::resource::Resource;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::v1::{Listing, ListingInput, UpdateListingRequest, WatchRequest};
use vintedbot_sdk::{Client, Watch, mask};

use super::table::{Row, percentile, time};

const CHANGES: usize = 500;
const P99_BAR: Duration = Duration::from_millis(10);
/// The interval between two database queries; it is the measuring error.
const LOOK: Duration = Duration::from_micros(50);
const PAUSE: Duration = Duration::from_millis(5);
const HEARS_WITHIN: Duration = Duration::from_secs(10);

/// Makes changes with the client `here` and receives them with the client `there`, of the same server or of another
/// one.
pub async fn measure(
    what: &str,
    (here, there): (&Client, &Client),
    store: &Store,
    listing: &Listing,
) -> Result<Row> {
    let mut watch = there.events().watch(WatchRequest::default());
    // From the first message on, no event is missed.
    watch.try_next().await?;
    let mut latencies = Vec::new();
    for change in 0..CHANGES {
        let title = format!("{} {change}", listing.title);
        let request = UpdateListingRequest {
            id: listing.id.clone(),
            listing: Some(ListingInput {
                title: title.clone(),
                ..Default::default()
            }),
            update_mask: Some(mask(["title"])),
            ..Default::default()
        };
        let changed = async {
            tokio::try_join!(
                async { Ok(here.listings().update(request).await?) },
                heard_time(&mut watch, &listing.id, &title),
                commit_time(store, &listing.id, &title)
            )
        };
        let (_, heard, committed) = timeout(HEARS_WITHIN, changed)
            .await
            .context("an event did not arrive")??;
        latencies.push(heard.saturating_duration_since(committed));
        sleep(PAUSE).await;
    }
    latencies.sort_unstable();
    let [p50, p99] = [0.5, 0.99].map(|part| percentile(&latencies, part));
    Ok(Row {
        what: what.to_owned(),
        measured: format!("p50 {}, p99 {}", time(p50), time(p99)),
        yardstick: String::new(),
        ratio: String::new(),
        bar: format!("p99 {}", time(P99_BAR)),
        is_met: p99 <= P99_BAR,
    })
}

/// Returns the time when the event with a listing's new title arrived.
async fn heard_time(watch: &mut Watch, id: &str, title: &str) -> Result<Instant> {
    while let Some(message) = watch.try_next().await? {
        let heard = Instant::now();
        if let Message::Event(event) = message
            && event.resource_id == id
            && let Some(Resource::Listing(listing)) = event.resource.and_then(|resource| resource.resource)
            && listing.title == title
        {
            return Ok(heard);
        }
    }
    bail!("the watch ended")
}

/// Returns the time when a listing's new title could be read in the database.
async fn commit_time(store: &Store, id: &str, title: &str) -> Result<Instant> {
    let changed = listings::Entity::find_by_id(id).filter(listings::Column::Title.eq(title));
    while changed.clone().count(store.reader()).await? == 0 {
        sleep(LOOK).await;
    }
    Ok(Instant::now())
}
