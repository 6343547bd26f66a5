//! What processes do together.

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

/// Without a hint, a watcher sees what another process wrote after a second at most, and after half of one on average.
const ON_AVERAGE: Duration = Duration::from_millis(500);
const WITHIN: Duration = Duration::from_secs(20);

/// A publication through both servers, and what the other one shows of it.
pub async fn what_one_process_does_another_shows_at_once(cluster: &mut Cluster) -> Result<()> {
    let [one, other] = [0, 1].map(|number| cluster.client(&cluster.servers[number].url()));
    let (one, other) = (one?, other?);
    let mut watch = begin(other.events().watch(WatchRequest::default())).await?;
    let seller = Seller::start(&one, "Sophie").await?;
    seller.publish("Sweat gris, vu d'ailleurs").await?;
    comes(&mut watch, |message| is(message, EventKind::PublishJobPublished)).await?;
    ensure!(published(cluster, "Sweat gris, vu d'ailleurs").await? == 1);

    // Progress is in no log: it can only have come from the other process.
    let photos = [1, 2].map(|seed| photos::jpeg(seed, 1_200, 900));
    for photo in photos {
        one.media().upload(Upload::bytes(photo?)).await?;
    }
    let thread = seller.asked(cluster.site()).await?;
    comes(&mut watch, |message| matches!(message, Message::Ephemeral(_))).await?;
    seller.answer(&thread, "Oui, toujours disponible !").await?;

    is_hinted(&one, &mut watch).await
}

/// The same where Redis speaks TLS, with a certificate that the processes are told to trust.
pub async fn redis_is_spoken_to_over_tls_too(cluster: &mut Cluster) -> Result<()> {
    let (url, certificate) = (redis(cluster)?.secure_url(), redis(cluster)?.certificate());
    cluster.set("REDIS_URL", &url);
    cluster.set("SSL_CERT_FILE", &certificate.display().to_string());
    cluster.add(2, 1, 2).await?;
    what_one_process_does_another_shows_at_once(cluster).await
}

/// Waits until events come sooner than polls bring them. Tries again for a while: a busy machine is slow, too.
async fn is_hinted(one: &Client, watch: &mut Watch) -> Result<()> {
    let until = Instant::now() + WITHIN;
    loop {
        let middle = an_event_takes(one, watch).await?;
        if middle < ON_AVERAGE / 2 {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "events take {middle:?}, as slow as polling without hints"
        );
    }
}

/// How long a committed event is on its way to another process, as the middle of so many that chance does not decide it.
async fn an_event_takes(one: &Client, watch: &mut Watch) -> Result<Duration> {
    let mut waits = Vec::new();
    for _ in 0..31 {
        // No two photos may be the same.
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

/// A password that is refused at a reconnection is asked for again: hints come back by themselves.
pub async fn hints_come_back_after_redis_let_nobody_in(cluster: &mut Cluster) -> Result<()> {
    let [one, other] = [0, 1].map(|number| cluster.client(&cluster.servers[number].url()));
    let (one, other) = (one?, other?);
    let mut watch = begin(other.events().watch(WatchRequest::default())).await?;
    redis(cluster)?.refuse(Duration::from_secs(4)).await?;
    is_hinted(&one, &mut watch).await
}

/// The same way, slower.
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

/// Redis is a hint: whatever becomes of it, what was asked for is done.
pub async fn jobs_go_on_while_redis_is_killed_emptied_and_paused(cluster: &mut Cluster) -> Result<()> {
    let one = cluster.client(&cluster.servers[0].url())?;
    let other = cluster.client(&cluster.servers[1].url())?;
    let mut watch = begin(other.events().watch(WatchRequest::default())).await?;
    let seller = Seller::start(&one, "Sophie").await?;

    redis(cluster)?.empty().await?;
    told(cluster, &seller, &mut watch, "Sweat vidé").await?;

    redis(cluster)?.pause()?;
    let told_while_paused = told(cluster, &seller, &mut watch, "Sweat en pause").await;
    redis(cluster)?.go_on()?;
    told_while_paused?;
    told(cluster, &seller, &mut watch, "Sweat après la pause").await?;

    cluster.redis.as_mut().context("Redis")?.kill().await?;
    told(cluster, &seller, &mut watch, "Sweat sans Redis").await?;
    cluster.redis.as_mut().context("Redis")?.start_again().await?;
    told(cluster, &seller, &mut watch, "Sweat avec un autre Redis").await?;

    // The processes come back to it by themselves: their listeners are in it again.
    let until = Instant::now() + Duration::from_secs(30);
    while redis(cluster)?.keys().await? < 10 {
        ensure!(Instant::now() < until, "nobody came back to Redis");
        sleep(Duration::from_millis(200)).await;
    }
    for member in cluster.servers.iter_mut().chain(&mut cluster.workers) {
        ensure!(member.is_running(), "a process did not outlive Redis");
    }
    Ok(())
}

/// Publishes, and sees it on the other server.
async fn told(cluster: &Cluster, seller: &Seller, watch: &mut Watch, title: &str) -> Result<()> {
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

/// A watch that has begun.
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

/// How often the site has published an item of this title.
pub async fn published(cluster: &Cluster, title: &str) -> Result<usize> {
    let records = cluster.site().records(0).await?;
    let items = records.iter().filter_map(|record| record.published());
    Ok(items.filter(|item| item.title == title).count())
}
