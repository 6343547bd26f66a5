//! How soon a watcher in another process hears of a change, from the moment that its commit can be read in the database:
//! a second connection keeps looking for it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::TryStreamExt as _;
use rusqlite::Connection;
use tokio::time::{Instant, sleep, timeout};
use vintedbot_sdk::v1::resource::Resource;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::v1::{Listing, ListingInput, UpdateListingRequest, WatchRequest};
use vintedbot_sdk::{Watch, mask};

use super::fixture;
use super::table::{Row, percentile, time};
use crate::instance::Instance;

const CHANGES: usize = 500;
const P99_BAR: Duration = Duration::from_millis(10);
/// Between two looks at the database: the error of what is measured.
const LOOK: Duration = Duration::from_micros(50);
const PAUSE: Duration = Duration::from_millis(5);
const HEARS_WITHIN: Duration = Duration::from_secs(10);

pub async fn measure(instance: &Instance, database: &Path, listing: &Listing) -> Result<Vec<Row>> {
    let client = fixture::client(instance).await?;
    let mut watch = client.events().watch(WatchRequest::default());
    // The first message says that from here on nothing is missed.
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
        let committed = {
            let (database, id, title) = (database.to_owned(), listing.id.clone(), title.clone());
            tokio::task::spawn_blocking(move || commit_time(&database, &id, &title))
        };
        let changed = async {
            tokio::try_join!(
                async { Ok(client.listings().update(request).await?) },
                heard_time(&mut watch, &listing.id, &title),
                async { committed.await? }
            )
        };
        let (_, heard, committed) = timeout(HEARS_WITHIN, changed)
            .await
            .context("an event did not come")??;
        latencies.push(heard.saturating_duration_since(committed));
        sleep(PAUSE).await;
    }
    latencies.sort_unstable();
    let [p50, p99] = [0.5, 0.99].map(|part| percentile(&latencies, part));
    Ok(vec![Row {
        what: "commit to watcher".to_owned(),
        measured: format!("p50 {}, p99 {}", time(p50), time(p99)),
        yardstick: String::new(),
        ratio: String::new(),
        bar: format!("p99 {}", time(P99_BAR)),
        is_met: p99 <= P99_BAR,
    }])
}

/// When the event of a listing's new title came.
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

/// When a listing's new title could be read in the database.
fn commit_time(database: &Path, id: &str, title: &str) -> Result<Instant> {
    let connection = Connection::open(database)?;
    let mut statement = connection.prepare("SELECT title = ?2 FROM listings WHERE id = ?1")?;
    let until = Instant::now() + HEARS_WITHIN;
    while Instant::now() < until {
        if statement.query_row([id, title], |row| row.get(0))? {
            return Ok(Instant::now());
        }
        std::thread::sleep(LOOK);
    }
    bail!("a change was not committed")
}
