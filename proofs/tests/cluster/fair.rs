//! A burst of one seller does not delay another seller.

use anyhow::{Context as _, Result, ensure};
use sea_orm::{ConnectionTrait as _, Database, Statement};
use vintedbot_proofs::cluster::{Cluster, Seller};

/// Far more jobs than one worker runs while an item is published.
const BURST: i64 = 20_000;

/// An account has thousands of jobs that are all older than another account's publish job. That job does not wait for
/// them.
pub async fn burst_of_one_account_does_not_delay_others(cluster: &mut Cluster) -> Result<()> {
    let client = cluster.client(&cluster.servers[0].url())?;
    let busy = Seller::start(&client, "Sophie").await?;
    let other = Seller::start(&client, "Nadia").await?;
    let database = Database::connect(cluster.postgres.url()).await?;
    // Read marks of deleted threads, which are claimed and ended like any other job.
    let burst = format!(
        "INSERT INTO jobs (id, kind, account_id, subject_id, state, priority, due_time, claims, failures, claim_epoch, payload,
            create_time, update_time)
         SELECT 'burst-' || number, 'MARK_THREAD_READ', $1, 'gone', 'QUEUED', 0, 0, 0, 0, 0, payload, 0, 0
         FROM generate_series(1, {BURST}) AS number, (SELECT payload FROM jobs LIMIT 1) AS one"
    );
    let backend = database.get_database_backend();
    let account_id = busy.account.id.as_str();
    database
        .execute_raw(Statement::from_sql_and_values(
            backend,
            burst,
            [account_id.into()],
        ))
        .await?;
    other.publish("Sweat dans la foule").await?;
    let left = "SELECT COUNT(*) FILTER (WHERE state = 'DONE') AS done, COUNT(*) FILTER (WHERE state = 'QUEUED') AS queued
         FROM jobs WHERE id LIKE 'burst-%'";
    let left = database
        .query_one_raw(Statement::from_string(backend, left))
        .await?;
    let left = left.context("a count")?;
    let (done, queued): (i64, i64) = (left.try_get("", "done")?, left.try_get("", "queued")?);
    ensure!(done > 0, "no job of the burst was done before the publication");
    ensure!(queued > BURST / 2, "the publication waited for {done} of {BURST}");
    Ok(())
}
