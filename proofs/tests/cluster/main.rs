//! Several servers and workers of the real program form one instance: with Redis, without it, and while it is lost.

mod fair;
mod limited;
mod refused;
mod rolling_restart;
mod together;
mod unreachable;

use anyhow::Result;
use vintedbot_proofs::cluster::Cluster;

/// Whether Redis runs, the number of servers, the number of workers, and the concurrency of each worker.
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

/// Runs a chapter as a test and stops the processes.
macro_rules! chapters {
    ($($part:ident::$chapter:ident $made:tt $([$($setting:expr),*])?)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $chapter() -> Result<()> {
            let mut cluster = make($made, &[$($($setting),*)?]).await?;
            let result = $part::$chapter(&mut cluster).await;
            cluster.close(result).await
        })*
    };
}

chapters! {
    together::change_in_one_process_shows_in_another_at_once(true, 2, 2, 2)
    together::redis_works_over_tls(true, 0, 0, 0)
    together::without_redis_everything_works_by_polling(false, 2, 2, 2)
    together::jobs_continue_while_redis_is_killed_emptied_or_paused(true, 2, 2, 2)
    together::hints_resume_after_redis_refused_connections(true, 2, 1, 2)
    rolling_restart::rolling_restart_loses_no_event_and_no_job(true, 2, 2, 2)
    refused::missing_or_invalid_settings_fail_startup(true, 1, 1, 2)
    limited::publish_rate_limits_are_shared_by_processes(false, 2, 1, 4)
        [("PUBLISH_PER_MINUTE", "3"), ("PUBLISH_PER_MINUTE_ACCOUNT", "3")]
    fair::burst_of_one_account_does_not_delay_others(false, 1, 1, 2)
    unreachable::unreachable_site_is_named_on_the_job(false, 1, 1, 2)
}
