//! A worker with a wrong address of the site.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};
use vintedbot_proofs::cluster::{Cluster, Seller};
use vintedbot_sdk::ErrorReason;
use vintedbot_sdk::v1::publish_job::State;

/// The job names the error while it lasts, and continues when it ends.
pub async fn unreachable_site_is_named_on_the_job(cluster: &mut Cluster) -> Result<()> {
    let client = cluster.client(&cluster.servers[0].url())?;
    let seller = Seller::start(&client, "Sophie").await?;
    let site = cluster.site().url().to_owned();
    let worker = &mut cluster.workers[0];
    worker.stop().await?;
    worker.set("PRACTICE_URL", "http://127.0.0.1:1");
    worker.start().await?;
    let job = seller.prepare("Sweat hors d'atteinte").await?;
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let job = client.publish().get(&job.id).await?;
        if job.reason() == ErrorReason::SiteUnavailable {
            ensure!(
                job.reason_message.contains("127.0.0.1:1"),
                "{}",
                job.reason_message
            );
            break;
        }
        ensure!(Instant::now() < until, "the job names no error: {job:?}");
        sleep(Duration::from_millis(50)).await;
    }
    worker.stop().await?;
    worker.set("PRACTICE_URL", &site);
    worker.start().await?;
    seller.settled(&job.id, State::AwaitingConfirmation).await?;
    Ok(())
}
