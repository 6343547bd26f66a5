//! Processes that work together.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::TryStreamExt as _;
use tokio::time::{Instant, sleep, timeout};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_proofs::cluster::{Cluster, Seller};
use vintedbot_proofs::photos;
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::v1::{EventKind, WatchRequest};
use vintedbot_sdk::{Client, Upload, Watch};

/// The average delay without hints: a watcher sees an event of another process after at most one second, on average
/// half a second.
const ON_AVERAGE: Duration = Duration::from_millis(500);
const WITHIN: Duration = Duration::from_secs(20);

/// Publishes through both servers. Each shows the changes of the other.
pub async fn change_in_one_process_shows_in_another_at_once(cluster: &mut Cluster) -> Result<()> {
    let [one, other] = [0, 1].map(|number| cluster.client(&cluster.servers[number].url()));
    let (one, other) = (one?, other?);
    let mut watch = begin(other.events().watch(WatchRequest::default())).await?;
    let seller = Seller::start(&one, "Sophie").await?;
    seller.publish("Sweat gris, vu d'ailleurs").await?;
    comes(&mut watch, |message| is(message, EventKind::PublishJobPublished)).await?;
    ensure!(published(cluster, "Sweat gris, vu d'ailleurs").await? == 1);

    // Progress is not logged, so it can only come from the other process.
    let photos = [1, 2].map(|seed| photos::jpeg(seed, 1_200, 900));
    for photo in photos {
        one.media().upload(Upload::bytes(photo?)).await?;
    }
    let thread = seller.asked(cluster.site()).await?;
    comes(&mut watch, |message| matches!(message, Message::Ephemeral(_))).await?;
    seller.answer(&thread, "Oui, toujours disponible !").await?;

    is_hinted(&one, &mut watch).await
}

/// Repeats the test with Redis over TLS, with a certificate that the processes trust.
pub async fn redis_works_over_tls(cluster: &mut Cluster) -> Result<()> {
    let (url, certificate) = (redis(cluster)?.secure_url(), redis(cluster)?.certificate());
    cluster.set("REDIS_URL", &url);
    cluster.set("SSL_CERT_FILE", &certificate.display().to_string());
    cluster.add(2, 1, 2).await?;
    change_in_one_process_shows_in_another_at_once(cluster).await
}

/// Waits until events arrive sooner than by polling. Retries for a while, because a busy machine is slow too.
async fn is_hinted(one: &Client, watch: &mut Watch) -> Result<()> {
    let until = Instant::now() + WITHIN;
    loop {
        let middle = event_latency(one, watch).await?;
        if middle < ON_AVERAGE / 2 {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "events take {middle:?}, as slow as polling without hints"
        );
    }
}

/// Measures the time from commit to arrival at another process. Returns the median of several events, to limit the
/// effect of chance.
async fn event_latency(one: &Client, watch: &mut Watch) -> Result<Duration> {
    let mut waits = Vec::new();
    for _ in 0..31 {
        // Each photo must be different.
        let seed = u64::from_le_bytes(SystemIds.secret()[..8].try_into()?);
        let photo = one
            .media()
            .upload(Upload::bytes(photos::jpeg(seed, 40, 40)?))
            .await?;
        let id = photo.photo.context("the photo")?.id;
        let committed = Instant::now();
        comes(
            watch,
            |message| matches!(message, Message::Event(event) if event.resource_id == id),
        )
        .await?;
        waits.push(committed.elapsed());
    }
    waits.sort();
    Ok(waits[waits.len() / 2])
}

/// A password that is refused at a reconnection is sent again, so hints resume.
pub async fn hints_resume_after_redis_refused_connections(cluster: &mut Cluster) -> Result<()> {
    let [one, other] = [0, 1].map(|number| cluster.client(&cluster.servers[number].url()));
    let (one, other) = (one?, other?);
    let mut watch = begin(other.events().watch(WatchRequest::default())).await?;
    redis(cluster)?.refuse(Duration::from_secs(4)).await?;
    is_hinted(&one, &mut watch).await
}

/// Repeats the test without Redis, which is slower.
pub async fn without_redis_everything_works_by_polling(cluster: &mut Cluster) -> Result<()> {
    let [one, other] = [0, 1].map(|number| cluster.client(&cluster.servers[number].url()));
    let (one, other) = (one?, other?);
    let mut watch = begin(other.events().watch(WatchRequest::default())).await?;
    let seller = Seller::start(&one, "Sophie").await?;
    seller.publish("Sweat gris, sans Redis").await?;
    comes(&mut watch, |message| is(message, EventKind::PublishJobPublished)).await?;
    ensure!(published(cluster, "Sweat gris, sans Redis").await? == 1);
    let thread = seller.asked(cluster.site()).await?;
    seller.answer(&thread, "Oui, toujours disponible !").await?;
    comes(&mut watch, |message| is(message, EventKind::ReplySent)).await
}

/// Redis carries only hints. Without it, every job still runs.
pub async fn jobs_continue_while_redis_is_killed_emptied_or_paused(cluster: &mut Cluster) -> Result<()> {
    let one = cluster.client(&cluster.servers[0].url())?;
    let other = cluster.client(&cluster.servers[1].url())?;
    let mut watch = begin(other.events().watch(WatchRequest::default())).await?;
    let seller = Seller::start(&one, "Sophie").await?;

    redis(cluster)?.empty().await?;
    publish_and_watch(cluster, &seller, &mut watch, "Sweat vidé").await?;

    redis(cluster)?.pause()?;
    let while_paused = publish_and_watch(cluster, &seller, &mut watch, "Sweat en pause").await;
    redis(cluster)?.go_on()?;
    while_paused?;
    publish_and_watch(cluster, &seller, &mut watch, "Sweat après la pause").await?;

    cluster.redis.as_mut().context("Redis")?.kill().await?;
    publish_and_watch(cluster, &seller, &mut watch, "Sweat sans Redis").await?;
    cluster.redis.as_mut().context("Redis")?.start_again().await?;
    publish_and_watch(cluster, &seller, &mut watch, "Sweat avec un autre Redis").await?;

    // The processes reconnect and their listeners are registered again.
    let until = Instant::now() + Duration::from_secs(30);
    while redis(cluster)?.keys().await? < 10 {
        ensure!(Instant::now() < until, "no process reconnected to Redis");
        sleep(Duration::from_millis(200)).await;
    }
    for member in cluster.servers.iter_mut().chain(&mut cluster.workers) {
        ensure!(member.is_running(), "a process did not outlive Redis");
    }
    Ok(())
}

/// Publishes an item, and waits until the other server shows it.
async fn publish_and_watch(cluster: &Cluster, seller: &Seller, watch: &mut Watch, title: &str) -> Result<()> {
    let job = seller.publish(title).await.with_context(|| title.to_owned())?;
    comes(watch, |message| {
        matches!(message, Message::Event(event)
            if event.kind() == EventKind::PublishJobPublished && event.resource_id == job.id)
    })
    .await
    .with_context(|| title.to_owned())?;
    ensure!(published(cluster, title).await? == 1, "{title}");
    Ok(())
}

fn redis(cluster: &Cluster) -> Result<&vintedbot_proofs::redis::Redis> {
    cluster.redis.as_ref().context("Redis")
}

/// Returns a watch that has received its first checkpoint.
pub async fn begin(mut watch: Watch) -> Result<Watch> {
    comes(&mut watch, |message| matches!(message, Message::Checkpoint(_))).await?;
    Ok(watch)
}

fn is(message: &Message, kind: EventKind) -> bool {
    matches!(message, Message::Event(event) if event.kind() == kind)
}

/// Waits for a message.
async fn comes(watch: &mut Watch, wanted: impl Fn(&Message) -> bool) -> Result<()> {
    let comes = async {
        while let Some(message) = watch.try_next().await? {
            if wanted(&message) {
                return Ok(());
            }
        }
        bail!("the watch ended")
    };
    timeout(WITHIN, comes).await.context("it did not come")?
}

/// Returns how often the site has published an item of this title.
pub async fn published(cluster: &Cluster, title: &str) -> Result<usize> {
    let records = cluster.site().records(0).await?;
    let items = records.iter().filter_map(|record| record.published());
    Ok(items.filter(|item| item.title == title).count())
}
