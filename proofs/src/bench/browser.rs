//! Measures a listing in a real browser, without pauses between the steps: time and requests until it is prepared and
//! until it is published, and the memory of its browser. The practice site counts the requests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::{Instant, sleep};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{CreateListingRequest, ListingInput};

use super::fixture;
use super::process::proportional_kib;
use super::table::{Row, median, time};
use crate::instance::{Browser, Instance, Practice, Setup, using};

/// Enough listings for a median. Each takes about ten seconds.
const LISTINGS: usize = 5;
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Costs {
    times: Vec<Duration>,
    requests: u64,
}

impl Costs {
    fn add(&mut self, time: Duration, requests: u64) {
        self.times.push(time);
        self.requests += requests;
    }

    fn row(mut self, what: &str) -> Row {
        let requests = self.requests as f64 / self.times.len().max(1) as f64;
        Row {
            what: format!("{what}, median of {}", self.times.len()),
            measured: time(median(&mut self.times)),
            yardstick: format!("{requests:.0} requests each"),
            ratio: String::new(),
            bar: String::new(),
            is_met: true,
        }
    }
}

/// Starts a separate practice site and instance, and stops both.
pub async fn measure(folder: &Path) -> Result<Vec<Row>> {
    let folder = folder.join("browser");
    std::fs::create_dir_all(&folder)?;
    let practice = Practice::start(&folder.join("records.jsonl")).await?;
    let data_dir = folder.join("data");
    let mut instance = Instance::new(Setup {
        data_dir: data_dir.clone(),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Required,
        settings: [
            ("BROWSER_PACING", "0ms"),
            ("PUBLISH_PER_MINUTE", "60"),
            ("PUBLISH_PER_MINUTE_ACCOUNT", "60"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
    })?;
    instance.start().await?;
    let (done, peak) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let sampler = tokio::spawn(sample(
        data_dir.join("attempts"),
        Arc::clone(&done),
        Arc::clone(&peak),
    ));
    let costs = publish_all(&instance, &practice).await;
    done.store(true, Ordering::Relaxed);
    sampler.await?;
    instance.stop().await?;
    practice.stop().await?;
    let (prepared, published) = costs?;
    let peak = peak.load(Ordering::Relaxed) as f64 / 1024.0;
    Ok(vec![
        prepared.row("prepared in a browser, no pauses"),
        published.row("published in a browser, no pauses"),
        Row {
            what: "peak memory of one browser with its driver".to_owned(),
            measured: format!("{peak:.0} MiB"),
            yardstick: String::new(),
            ratio: String::new(),
            bar: String::new(),
            is_met: true,
        },
    ])
}

async fn publish_all(instance: &Instance, practice: &Practice) -> Result<(Costs, Costs)> {
    let client = fixture::client(instance).await?;
    let sample = fixture::sample(&client).await?;
    let publish = client.publish();
    let (mut prepared, mut published) = (Costs::default(), Costs::default());
    for number in 1..=LISTINGS {
        let listing = copy(&sample, number);
        let listing = client.listings().create(listing).await?;
        let (start, before) = (Instant::now(), practice.site.requests().await?);
        let job = publish.prepare(&listing.id).await?;
        let job = publish.settled(&job.id).await?;
        ensure!(
            job.state() == State::AwaitingConfirmation,
            "{}",
            job.reason_message
        );
        prepared.add(start.elapsed(), practice.site.requests().await? - before);

        let confirmation = job.confirmation.context("the job has no confirmation")?;
        let (start, before) = (Instant::now(), practice.site.requests().await?);
        publish.confirm(&job.id, &confirmation).await?;
        let job = publish.settled(&job.id).await?;
        ensure!(job.state() == State::Published, "{}", job.reason_message);
        published.add(start.elapsed(), practice.site.requests().await? - before);
    }
    Ok((prepared, published))
}

/// Returns the sample as a new listing.
fn copy(sample: &vintedbot_sdk::v1::Listing, number: usize) -> CreateListingRequest {
    let id = |choice: &Option<vintedbot_sdk::v1::ResolvedName>| {
        choice.as_ref().map(|choice| vintedbot_sdk::id(choice.id))
    };
    CreateListingRequest {
        account_id: sample.account_id.clone(),
        listing: Some(ListingInput {
            title: format!("{} {number}", sample.title),
            description: sample.description.clone(),
            price: sample.price.clone(),
            category: id(&sample.category),
            brand: id(&sample.brand),
            size: id(&sample.size),
            condition: id(&sample.condition),
            colors: sample
                .colors
                .iter()
                .map(|color| vintedbot_sdk::id(color.id))
                .collect(),
            package_size: id(&sample.package_size),
            photo_ids: sample.photo_ids.clone(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Records the peak memory of all processes of one attempt. Shared pages are counted once.
async fn sample(attempts: std::path::PathBuf, done: Arc<AtomicBool>, peak: Arc<AtomicU64>) {
    while !done.load(Ordering::Relaxed) {
        let held: u64 = using(&attempts)
            .into_iter()
            .filter_map(|pid| proportional_kib(pid.as_raw_nonzero().get().unsigned_abs()).ok())
            .sum();
        peak.fetch_max(held, Ordering::Relaxed);
        sleep(LOOK_EVERY).await;
    }
}
