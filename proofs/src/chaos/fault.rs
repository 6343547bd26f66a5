//! What fails, and how it comes back.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement, TransactionTrait as _};
use tokio::time::{Instant, sleep};
use url::Url;
use vintedbot_worker::Stage;

use super::line::Line;
use crate::cluster::{Cluster, Role};
use crate::redis::Redis;

/// Leases last 3 s in these proofs: long enough that all of them have run out.
const PAST_LEASES: Duration = Duration::from_secs(8);
/// The longest until a worker comes to where it is to be struck.
const COMES_WITHIN: Duration = Duration::from_secs(40);

/// A thing that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    WorkerKilled,
    ConnectionsKilled,
    RedisKilled,
    StoppedPastItsLease,
    RedisEmptied,
    RedisPaused,
    DatabaseCrashed,
    PoolExhausted,
    WorkersKilledAgainAndAgain,
    NetworkCut,
}

impl Fault {
    /// The most telling first, for when there are few.
    pub const ALL: [Self; 10] = [
        Self::WorkerKilled,
        Self::RedisKilled,
        Self::ConnectionsKilled,
        Self::StoppedPastItsLease,
        Self::RedisEmptied,
        Self::RedisPaused,
        Self::DatabaseCrashed,
        Self::PoolExhausted,
        Self::WorkersKilledAgainAndAgain,
        Self::NetworkCut,
    ];

    /// What it is called on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkerKilled => "worker-killed",
            Self::ConnectionsKilled => "connections-killed",
            Self::RedisKilled => "redis-killed",
            Self::StoppedPastItsLease => "stopped-past-its-lease",
            Self::RedisEmptied => "redis-emptied",
            Self::RedisPaused => "redis-paused",
            Self::DatabaseCrashed => "postgres-restarted",
            Self::PoolExhausted => "pool-exhausted",
            Self::WorkersKilledAgainAndAgain => "workers-killed-repeatedly",
            Self::NetworkCut => "network-cut",
        }
    }
}

/// What the faults need to be at hand before anything runs.
pub struct Stricken {
    line: Line,
    database: DatabaseConnection,
    stops_at: PathBuf,
}

impl Stricken {
    /// Lays the line that is cut.
    ///
    /// # Errors
    ///
    /// The database cannot be reached.
    pub async fn prepare(cluster: &mut Cluster) -> Result<Self> {
        let url = Url::parse(&cluster.postgres.url())?;
        Ok(Self {
            line: Line::to(url.port().context("the database's port")?).await?,
            database: Database::connect(url.as_str()).await?,
            stops_at: cluster.folder().join("stopped"),
        })
    }

    /// Starts the worker that reaches the database through the line.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn behind_line(&self, cluster: &mut Cluster) -> Result<()> {
        let role = Role::Worker(
            ["--name", "worker-1", "--concurrency", "3"]
                .map(str::to_owned)
                .into(),
        );
        let mut worker = cluster.member("worker-1", role)?;
        let mut url = Url::parse(&cluster.postgres.url())?;
        url.set_port(Some(self.line.port()))
            .ok()
            .context("the line's port")?;
        worker.set("DATABASE_URL", url.as_str());
        worker.start().await?;
        cluster.workers.push(worker);
        Ok(())
    }

    /// Lets a fault befall the cluster, and ends it.
    ///
    /// # Errors
    ///
    /// It could not be brought about.
    pub async fn befall(&mut self, fault: Fault, cluster: &mut Cluster) -> Result<()> {
        match fault {
            Fault::WorkerKilled => {
                self.works("worker-2").await?;
                cluster.workers[1].kill().await?;
                sleep(PAST_LEASES).await;
                cluster.workers[1].start().await
            }
            Fault::WorkersKilledAgainAndAgain => {
                for turn in 0..8 {
                    let number = turn % cluster.workers.len();
                    self.works(&format!("worker-{}", number + 1)).await?;
                    let worker = &mut cluster.workers[number];
                    worker.kill().await?;
                    worker.start().await?;
                    sleep(Duration::from_millis(1_300)).await;
                }
                Ok(())
            }
            Fault::ConnectionsKilled => {
                for _ in 0..6 {
                    self.database
                        .execute_unprepared(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vintedbot'",
                        )
                        .await?;
                    sleep(Duration::from_millis(500)).await;
                }
                Ok(())
            }
            Fault::DatabaseCrashed => self.crash().await,
            Fault::PoolExhausted => {
                // Whoever wants a job waits with a connection in hand, until there is none left.
                #[expect(clippy::disallowed_methods, reason = "it locks, and writes nothing")]
                let holder = self.database.begin().await?;
                holder
                    .execute_unprepared("LOCK TABLE jobs, publish_jobs IN ACCESS EXCLUSIVE MODE")
                    .await?;
                sleep(Duration::from_secs(12)).await;
                Ok(holder.rollback().await?)
            }
            Fault::RedisKilled => {
                let redis = cluster.redis.as_mut().context("Redis")?;
                redis.kill().await?;
                sleep(Duration::from_secs(10)).await;
                redis.start_again().await
            }
            Fault::RedisEmptied => {
                for _ in 0..5 {
                    redis(cluster)?.empty().await?;
                    sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            Fault::RedisPaused => {
                redis(cluster)?.pause()?;
                sleep(Duration::from_secs(30)).await;
                redis(cluster)?.go_on()
            }
            Fault::NetworkCut => {
                self.line.cut();
                sleep(Duration::from_secs(12)).await;
                self.line.mend();
                Ok(())
            }
            Fault::StoppedPastItsLease => self.stop_past_lease(cluster).await,
        }
    }

    /// Waits until a worker has something in its hands.
    async fn works(&self, name: &str) -> Result<()> {
        let until = Instant::now() + COMES_WITHIN;
        loop {
            let statement = Statement::from_sql_and_values(
                self.database.get_database_backend(),
                "SELECT jobs.id FROM jobs JOIN workers ON workers.id = jobs.worker_id \
                 WHERE workers.name = $1 AND workers.state = 'OPEN' AND jobs.state = 'RUNNING' LIMIT 1",
                [name.into()],
            );
            if self.database.query_one_raw(statement).await?.is_some() {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{name} has nothing to do");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// One of the server's processes dies badly, upon which it ends all of them and begins again.
    async fn crash(&self) -> Result<()> {
        let statement = Statement::from_string(
            self.database.get_database_backend(),
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'vintedbot' LIMIT 1",
        );
        let row = self.database.query_one_raw(statement).await?;
        let pid: i32 = row.context("nobody is connected")?.try_get("", "pid")?;
        kill_process(Pid::from_raw(pid).context("a process")?, Signal::KILL)?;
        sleep(Duration::from_secs(2)).await;
        Ok(())
    }

    /// A worker is stopped when it has the right to click and has not clicked yet, and goes on when that right is over.
    async fn stop_past_lease(&self, cluster: &mut Cluster) -> Result<()> {
        let worker = &mut cluster.workers[1];
        worker.stop().await?;
        worker.set("CRASH_AT", Stage::PublishIntended.name());
        worker.set("CRASH_FILE", &self.stops_at.display().to_string());
        worker.set("CRASH_STOPS", "1");
        worker.start().await?;
        let until = Instant::now() + COMES_WITHIN;
        while !self.stops_at.exists() {
            ensure!(Instant::now() < until, "the worker did not come to its click");
            sleep(Duration::from_millis(20)).await;
        }
        sleep(PAST_LEASES).await;
        worker.set("CRASH_AT", "");
        worker.signal(Signal::CONT)
    }
}

fn redis(cluster: &Cluster) -> Result<&Redis> {
    cluster.redis.as_ref().context("Redis")
}
