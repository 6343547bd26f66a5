//! Several servers and workers of the real program are one instance: with Redis between them, without it, and while it is lost.

mod fair;
mod handed_over;
mod limited;
mod refused;
mod together;
mod unreachable;

use anyhow::Result;
use vintedbot_proofs::cluster::Cluster;

/// With Redis or without it, so many servers, and so many workers that take this many jobs at a time.
type Made = (bool, usize, usize, usize);

async fn make(
    (with_redis, servers, workers, concurrency): Made,
    settings: &[(&str, &str)],
) -> Result<Cluster> {
    let mut cluster = Cluster::start(with_redis).await?;
    for (name, value) in settings {
        cluster.set(name, value);
    }
    cluster.add(servers, workers, concurrency).await?;
    Ok(cluster)
}

/// Tells a chapter, and ends the processes.
macro_rules! chapters {
    ($($part:ident::$chapter:ident $made:tt $([$($setting:expr),*])?)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $chapter() -> Result<()> {
            let mut cluster = make($made, &[$($($setting),*)?]).await?;
            let told = $part::$chapter(&mut cluster).await;
            cluster.close(told).await
        })*
    };
}

chapters! {
    together::what_one_process_does_another_shows_at_once(true, 2, 2, 2)
    together::redis_is_spoken_to_over_tls_too(true, 0, 0, 0)
    together::without_redis_everything_works_by_polling(false, 2, 2, 2)
    together::jobs_go_on_while_redis_is_killed_emptied_and_paused(true, 2, 2, 2)
    together::hints_come_back_after_redis_let_nobody_in(true, 2, 1, 2)
    handed_over::a_rolling_restart_loses_no_event_and_no_job(true, 2, 2, 2)
    refused::what_is_missing_or_wrong_is_refused_at_start(true, 1, 1, 2)
    limited::confirmations_are_counted_together(false, 2, 1, 4)
        [("PUBLISH_PER_MINUTE", "3"), ("PUBLISH_PER_MINUTE_ACCOUNT", "3")]
    fair::a_burst_of_one_seller_keeps_nobody_waiting(false, 1, 1, 2)
    unreachable::a_site_that_cannot_be_reached_is_named_on_the_job(false, 1, 1, 2)
}
