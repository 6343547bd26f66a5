//! Measures the webhooks per second that reach a receiver on this machine, and the time from the moment when an event's
//! commit can be read in the database until the first attempt.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rusqlite::Connection;
use tokio::time::{Instant, sleep, timeout};
use vintedbot_domain::ids::{Ids as _, SystemIds};

use super::fixture;
use super::table::{Row, percentile, time};
use crate::instance::Instance;
use crate::receiver::Receiver;

/// The number of deliveries that wait until their endpoint is enabled again.
const WAITING: usize = 2_000;
const SINGLE: usize = 300;
const PER_SECOND_BAR: f64 = 100.0;
const P99_BAR: Duration = Duration::from_millis(100);
/// The interval between two database queries; it is the measuring error.
const LOOK: Duration = Duration::from_micros(50);
const PAUSE: Duration = Duration::from_millis(5);
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);

pub async fn measure(instance: &Instance, database: &Path) -> Result<Vec<Row>> {
    let client = fixture::client(instance).await?;
    let receiver = Receiver::open().await?;
    let url = format!("http://{}/", receiver.address);
    let made = client.webhooks().create(url, ["template_created"]).await?;
    let endpoint = made.endpoint.context("the answer contains no endpoint")?;

    let mut latencies = Vec::with_capacity(SINGLE);
    for _ in 0..SINGLE {
        let name = SystemIds.id();
        let committed = {
            let (database, name) = (database.to_owned(), name.clone());
            tokio::task::spawn_blocking(move || commit_time(&database, &name))
        };
        client.templates().create(&name, "Hello").await?;
        let committed = committed.await??;
        latencies.push(
            arrival(&receiver, &name)
                .await?
                .saturating_duration_since(committed),
        );
        sleep(PAUSE).await;
    }
    latencies.sort_unstable();
    let [p50, p99] = [0.5, 0.99].map(|part| percentile(&latencies, part));

    client.webhooks().disable(&endpoint.id).await?;
    for _ in 0..WAITING {
        client.templates().create(SystemIds.id(), "Hello").await?;
    }
    let began = Instant::now();
    client.webhooks().enable(&endpoint.id).await?;
    let all = async {
        while receiver.arrived().len() < SINGLE + WAITING {
            sleep(LOOK * 20).await;
        }
    };
    timeout(ARRIVES_WITHIN, all)
        .await
        .context("not all webhooks arrived in time")?;
    let per_second = WAITING as f64 / began.elapsed().as_secs_f64();
    client.webhooks().delete(&endpoint.id).await?;
    let row = |what: &str, measured, bar, is_met| Row {
        what: what.to_owned(),
        measured,
        yardstick: String::new(),
        ratio: String::new(),
        bar,
        is_met,
    };
    Ok(vec![
        row(
            "webhooks, commit to first attempt",
            format!("p50 {}, p99 {}", time(p50), time(p99)),
            format!("p99 {}", time(P99_BAR)),
            p99 <= P99_BAR,
        ),
        row(
            &format!("webhooks, {WAITING} to one receiver"),
            format!("{per_second:.0} a second"),
            format!("{PER_SECOND_BAR:.0} a second"),
            per_second >= PER_SECOND_BAR,
        ),
    ])
}

/// Returns the time when the event of the template with this name arrived.
async fn arrival(receiver: &Receiver, name: &str) -> Result<Instant> {
    let look = async {
        loop {
            let found = {
                let arrived = receiver.arrived();
                let mut latest = arrived.iter().rev();
                latest
                    .find(|one| one.json()["data"]["resource"]["name"] == name)
                    .map(|one| one.at)
            };
            if let Some(at) = found {
                return at;
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(ARRIVES_WITHIN, look)
        .await
        .context("an event did not arrive")
}

/// Returns the time when the template with this name could be read in the database.
fn commit_time(database: &Path, name: &str) -> Result<Instant> {
    let connection = Connection::open(database)?;
    let mut statement = connection.prepare("SELECT EXISTS (SELECT 1 FROM templates WHERE name = ?1)")?;
    let until = Instant::now() + ARRIVES_WITHIN;
    while Instant::now() < until {
        if statement.query_row([name], |row| row.get(0))? {
            return Ok(Instant::now());
        }
        std::thread::sleep(LOOK);
    }
    bail!("a template was not committed")
}
