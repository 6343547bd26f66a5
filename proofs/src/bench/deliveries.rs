//! Measures the event deliveries per processor core. It uses the server's processor time from the first change until
//! the last watcher has received the last event, so the time of making the changes is included.

use anyhow::{Context as _, Result};
use tokio::time::Instant;
use vintedbot_sdk::mask;
use vintedbot_sdk::v1::{Listing, ListingInput, UpdateListingRequest};

use super::fixture;
use super::idle::WATCH;
use super::load::Target;
use super::process::processor_time;
use super::table::Row;
use super::watchers::Watchers;
use crate::instance::Instance;

const CONNECTIONS: usize = 10;
const WATCHERS_EACH: usize = 100;
const EVENTS: usize = 300;

pub async fn measure(instance: &Instance, listing: &Listing) -> Result<Vec<Row>> {
    let pid = instance.pid().context("the process does not run")?;
    let client = fixture::client(instance).await?;
    let target = Target::of(instance)?;
    let mut watchers = Watchers::start(&target, WATCH, CONNECTIONS, WATCHERS_EACH, EVENTS).await?;
    let (began, before) = (Instant::now(), processor_time(pid)?);
    for number in 0..EVENTS {
        let request = UpdateListingRequest {
            id: listing.id.clone(),
            listing: Some(ListingInput {
                title: format!("{}, delivery {number}", listing.title),
                ..Default::default()
            }),
            update_mask: Some(mask(["title"])),
            ..Default::default()
        };
        client.listings().update(request).await?;
    }
    watchers.delivered().await?;
    let (took, used) = (began.elapsed(), processor_time(pid)? - before);
    let deliveries = (EVENTS * CONNECTIONS * WATCHERS_EACH) as f64;
    Ok(vec![Row {
        what: format!("{EVENTS} events to {} watchers", CONNECTIONS * WATCHERS_EACH),
        measured: format!(
            "{:.0} deliveries per second per core",
            deliveries / used.as_secs_f64()
        ),
        yardstick: format!(
            "{:.1} s of processor time, in {:.1} s",
            used.as_secs_f64(),
            took.as_secs_f64()
        ),
        ratio: String::new(),
        bar: String::new(),
        is_met: true,
    }])
}
