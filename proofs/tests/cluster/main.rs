//! Several servers and workers of the real program are one instance: with Redis between them, without it, and while it is lost.

mod fair;
mod handed_over;
mod limited;
mod refused;
mod together;
mod unreachable;

use anyhow::Result;
use vintedbot_proofs::build;
use vintedbot_proofs::cluster::Cluster;

/// Two servers and two workers.
async fn four(with_redis: bool) -> Result<Cluster> {
    build::program()?;
    let mut cluster = Cluster::start(with_redis).await?;
    cluster.add(2, 2, 2).await?;
    Ok(cluster)
}

/// Tells a chapter, and ends the processes.
macro_rules! chapters {
    ($($part:ident::$chapter:ident($redis:literal))*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $chapter() -> Result<()> {
            let mut cluster = four($redis).await?;
            let told = $part::$chapter(&mut cluster).await;
            cluster.close(told).await
        })*
    };
}

chapters! {
    together::what_one_process_does_another_shows_at_once(true)
    together::without_redis_everything_works_by_polling(false)
    together::jobs_go_on_while_redis_is_killed_emptied_and_paused(true)
    handed_over::a_rolling_restart_loses_no_event_and_no_job(true)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_processes_do_not_share_is_refused_at_start() -> Result<()> {
    build::program()?;
    let mut cluster = Cluster::start(true).await?;
    let told = refused::what_is_missing_or_wrong(&mut cluster).await;
    cluster.close(told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_spoken_to_over_tls_too() -> Result<()> {
    build::program()?;
    let mut cluster = Cluster::start(true).await?;
    if let Some(redis) = &cluster.redis {
        let (url, certificate) = (redis.secure_url(), redis.certificate().display().to_string());
        cluster.set("REDIS_URL", &url);
        cluster.set("SSL_CERT_FILE", &certificate);
    }
    cluster.add(2, 1, 2).await?;
    let told = together::what_one_process_does_another_shows_at_once(&mut cluster).await;
    cluster.close(told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_one_for_all_processes() -> Result<()> {
    build::program()?;
    let mut cluster = Cluster::start(false).await?;
    cluster.set("PUBLISH_PER_MINUTE", "3");
    cluster.set("PUBLISH_PER_MINUTE_ACCOUNT", "3");
    cluster.add(2, 1, 4).await?;
    let told = limited::confirmations_are_counted_together(&mut cluster).await;
    cluster.close(told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_waits_for_no_burst_of_another() -> Result<()> {
    build::program()?;
    let mut cluster = Cluster::start(false).await?;
    cluster.add(1, 1, 2).await?;
    let told = fair::a_burst_of_one_seller_keeps_nobody_waiting(&mut cluster).await;
    cluster.close(told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_reach_the_site_says_so_on_the_job() -> Result<()> {
    build::program()?;
    let mut cluster = Cluster::start(false).await?;
    cluster.add(1, 1, 2).await?;
    let told = unreachable::it_is_said_on_the_job(&mut cluster).await;
    cluster.close(told).await
}
