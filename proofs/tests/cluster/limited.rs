//! Rate limits per minute are counted in the database, for all processes together.

use anyhow::{Context as _, Result, ensure};
use futures::future::{join_all, try_join_all};
use vintedbot_proofs::cluster::{Cluster, Seller};
use vintedbot_sdk::ErrorReason;
use vintedbot_sdk::v1::publish_job::State;

/// Sellers on both servers confirm concurrently, more often than the limit allows.
pub async fn publish_rate_limits_are_shared_by_processes(cluster: &mut Cluster) -> Result<()> {
    let sellers = (0..8).map(async |number| {
        let client = cluster.client(&cluster.servers[number % 2].url())?;
        let seller = Seller::start(&client, &format!("Seller {number}")).await?;
        let job = seller.prepare(&format!("Sweat {number}")).await?;
        let job = seller.settled(&job.id, State::AwaitingConfirmation).await?;
        let confirmation = job.confirmation.clone().context("a confirmation")?;
        Ok::<_, anyhow::Error>((client, job.id, confirmation))
    });
    let prepared = try_join_all(sellers).await?;
    let confirmed = prepared
        .iter()
        .map(async |(client, job_id, confirmation)| client.publish().confirm(job_id, confirmation).await);
    let confirmed = join_all(confirmed).await;
    let (given, refused): (Vec<_>, Vec<_>) = confirmed.into_iter().partition(Result::is_ok);
    ensure!(given.len() == 3, "{} confirmations were taken", given.len());
    for error in refused.into_iter().filter_map(Result::err) {
        ensure!(error.reason() == ErrorReason::RateLimited, "{error:?}");
    }
    Ok(())
}
