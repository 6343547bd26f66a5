//! The faults and their ends.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement, TransactionTrait as _};
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use url::Url;
use vintedbot_worker::Stage;

use super::line::Line;
use crate::cluster::{Cluster, Role};
use crate::instance::using;
use crate::redis::Redis;

/// The time after which all leases have expired; leases last 3 s in these proofs.
const PAST_LEASES: Duration = Duration::from_secs(8);
/// The largest number of kills until a worker leaves work unfinished.
const KILLS_MAX: usize = 10;
/// The time limit until a worker reaches the point of the fault.
const COMES_WITHIN: Duration = Duration::from_secs(40);

/// A dependency that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    WorkerKilled,
    ConnectionsKilled,
    RedisKilled,
    StoppedPastItsLease,
    RedisEmptied,
    RedisPaused,
    DatabaseRestarted,
    PoolExhausted,
    WorkersKilledAgainAndAgain,
    NetworkCut,
    ClockOff,
    DiskFull,
    DriverKilled,
}

impl Fault {
    /// All faults, the most informative first, for small samples.
    pub const ALL: [Self; 13] = [
        Self::WorkerKilled,
        Self::RedisKilled,
        Self::ConnectionsKilled,
        Self::StoppedPastItsLease,
        Self::RedisEmptied,
        Self::RedisPaused,
        Self::DatabaseRestarted,
        Self::PoolExhausted,
        Self::WorkersKilledAgainAndAgain,
        Self::NetworkCut,
        Self::ClockOff,
        Self::DiskFull,
        Self::DriverKilled,
    ];

    /// Returns the fault's name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkerKilled => "worker-killed",
            Self::ConnectionsKilled => "connections-killed",
            Self::RedisKilled => "redis-killed",
            Self::StoppedPastItsLease => "stopped-past-its-lease",
            Self::RedisEmptied => "redis-emptied",
            Self::RedisPaused => "redis-paused",
            Self::DatabaseRestarted => "postgres-restarted",
            Self::PoolExhausted => "pool-exhausted",
            Self::WorkersKilledAgainAndAgain => "workers-killed-repeatedly",
            Self::NetworkCut => "network-cut",
            Self::ClockOff => "clock-five-minutes-off",
            Self::DiskFull => "disk-full",
            Self::DriverKilled => "driver-killed-mid-form",
        }
    }
}

/// The equipment that faults need, prepared before the load starts.
pub struct Stricken {
    line: Line,
    database: DatabaseConnection,
    stops_at: PathBuf,
    /// The disk to fill. Mounting it requires root.
    disk: Option<Disk>,
}

impl Stricken {
    /// Prepares the connection that can be cut.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be reached.
    pub async fn prepare(cluster: &Cluster, faults: &[Fault]) -> Result<Self> {
        let url = Url::parse(&cluster.postgres.url())?;
        Ok(Self {
            line: Line::to(url.port().context("the database's URL has no port")?).await?,
            database: Database::connect(url.as_str()).await?,
            stops_at: cluster.folder().join("stopped"),
            disk: match faults.contains(&Fault::DiskFull) {
                true => Some(Disk::mount(cluster.folder().join("media")).await?),
                false => None,
            },
        })
    }

    /// Starts the worker that reaches the database through the connection that can be cut.
    ///
    /// # Errors
    ///
    /// Fails if the worker does not start.
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
            .context("cannot set the port of the URL")?;
        worker.set("DATABASE_URL", url.as_str());
        worker.start().await?;
        cluster.workers.push(worker);
        Ok(())
    }

    /// Applies a fault to the cluster, and ends it.
    ///
    /// # Errors
    ///
    /// Fails if the fault cannot be produced.
    pub async fn inject(&mut self, fault: Fault, cluster: &mut Cluster) -> Result<()> {
        match fault {
            Fault::WorkerKilled => {
                // The worker may have finished its work just before the kill. Then the kill has no effect.
                for _ in 0..KILLS_MAX {
                    self.works("worker-2").await?;
                    sleep(Duration::from_millis(100)).await;
                    cluster.workers[1].kill().await?;
                    if self.is_at_work("worker-2").await? {
                        break;
                    }
                    cluster.workers[1].start().await?;
                }
                sleep(PAST_LEASES).await;
                if !cluster.workers[1].is_running() {
                    cluster.workers[1].start().await?;
                }
                Ok(())
            }
            Fault::WorkersKilledAgainAndAgain => {
                for turn in 0..8 {
                    let number = turn % cluster.workers.len();
                    self.works(&format!("worker-{}", number + 1)).await?;
                    // Before the site has accepted the write, during the answer, and afterwards.
                    sleep(Duration::from_millis(105 + 10 * turn as u64)).await;
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
            Fault::DatabaseRestarted => self.restart().await,
            Fault::PoolExhausted => {
                // Each claim of a job waits with a connection, until the pool is empty.
                #[expect(clippy::disallowed_methods, reason = "it only locks, and writes nothing")]
                let holder = self.database.begin().await?;
                holder
                    .execute_unprepared("LOCK TABLE jobs, publish_jobs IN ACCESS EXCLUSIVE MODE")
                    .await?;
                sleep(Duration::from_secs(12)).await;
                Ok(holder.rollback().await?)
            }
            Fault::RedisKilled => {
                let redis = cluster.redis.as_mut().context("there is no Redis")?;
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
            Fault::ClockOff => {
                let worker = &mut cluster.workers[1];
                worker.stop().await?;
                worker.set("LD_PRELOAD", &faketime()?);
                worker.set("FAKETIME", "+5m");
                worker.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
                worker.start().await?;
                sleep(Duration::from_secs(15)).await;
                worker.stop().await?;
                worker.set("LD_PRELOAD", "");
                worker.set("FAKETIME", "");
                worker.start().await
            }
            Fault::DiskFull => {
                let filler = self.disk.as_ref().context("there is no disk to fill")?.fill()?;
                sleep(Duration::from_secs(8)).await;
                Ok(std::fs::remove_file(filler)?)
            }
            Fault::DriverKilled => self.kill_driver(cluster).await,
            Fault::StoppedPastItsLease => self.stop_past_lease(cluster).await,
        }
    }

    /// Waits until a worker is about to write on the site, when a fault has the greatest effect.
    async fn works(&self, name: &str) -> Result<()> {
        let until = Instant::now() + COMES_WITHIN;
        while !self.is_at_work(name).await? {
            ensure!(Instant::now() < until, "{name} has no work");
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Returns whether the database has an open intent of a worker with this name, also of a killed worker.
    async fn is_at_work(&self, name: &str) -> Result<bool> {
        let statement = Statement::from_sql_and_values(
            self.database.get_database_backend(),
            "SELECT jobs.id FROM jobs JOIN workers ON workers.id = jobs.worker_id \
             JOIN effects ON effects.subject_id = jobs.subject_id AND effects.claim_epoch = jobs.claim_epoch \
             WHERE workers.name = $1 AND workers.state = 'OPEN' AND jobs.state = 'RUNNING' \
             AND effects.state = 'INTENDED' LIMIT 1",
            [name.into()],
        );
        Ok(self.database.query_one_raw(statement).await?.is_some())
    }

    /// Kills the server at once, with its open connections. Starts it again a second later.
    async fn restart(&self) -> Result<()> {
        let ask = "SELECT pg_backend_pid() AS pid";
        let ask = Statement::from_string(self.database.get_database_backend(), ask);
        let row = self.database.query_one_raw(ask).await?;
        let backend: i32 = row.context("there is no row")?.try_get("", "pid")?;
        // Every connection is served by a child process of the server.
        let status = std::fs::read_to_string(format!("/proc/{backend}/status"))?;
        let server = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let server = server.context("the process has no parent")?.trim().parse()?;
        kill_process(
            Pid::from_raw(server).context("the process id is not valid")?,
            Signal::QUIT,
        )?;
        sleep(Duration::from_secs(3)).await;
        Ok(())
    }

    /// Replaces the workers by one with a browser, and kills its driver while it fills a form.
    async fn kill_driver(&self, cluster: &mut Cluster) -> Result<()> {
        for worker in &mut cluster.workers {
            worker.stop().await?;
        }
        let role = Role::Worker(
            ["--name", "browser", "--concurrency", "2"]
                .map(str::to_owned)
                .into(),
        );
        let mut worker = cluster.member("browser", role)?;
        // Chromium needs more time for every step.
        for (name, value) in [
            ("BROWSER", "required"),
            ("JOBS_LEASE", "6000ms"),
            ("JOBS_HEARTBEAT", "1500ms"),
            ("EFFECTS_CLICK_WINDOW", "4000ms"),
            ("EFFECTS_REQUEST_TIMEOUT", "4000ms"),
        ] {
            worker.set(name, value);
        }
        worker.start().await?;
        let until = Instant::now() + COMES_WITHIN;
        let driver = loop {
            if let Some(driver) = driver_of(worker.pid().context("the process does not run")?) {
                break driver;
            }
            ensure!(Instant::now() < until, "no browser was started in time");
            sleep(Duration::from_millis(50)).await;
        };
        // By this time, the form is partly filled.
        sleep(Duration::from_millis(1_500)).await;
        kill_process(driver, Signal::KILL)?;
        sleep(Duration::from_secs(5)).await;
        worker.stop().await?;
        for leftover in using(worker.data_dir()) {
            let _ = kill_process(leftover, Signal::KILL);
        }
        for worker in &mut cluster.workers {
            worker.start().await?;
        }
        Ok(())
    }

    /// Stops a worker between its intent and its click, and resumes it after the intent has expired.
    async fn stop_past_lease(&self, cluster: &mut Cluster) -> Result<()> {
        let worker = &mut cluster.workers[1];
        worker.stop().await?;
        worker.set("CRASH_AT", Stage::PublishIntended.name());
        worker.set("CRASH_FILE", &self.stops_at.display().to_string());
        worker.set("CRASH_STOPS", "1");
        worker.start().await?;
        let until = Instant::now() + COMES_WITHIN;
        while !self.stops_at.exists() {
            ensure!(Instant::now() < until, "the worker did not reach its click");
            sleep(Duration::from_millis(20)).await;
        }
        sleep(PAST_LEASES).await;
        worker.set("CRASH_AT", "");
        worker.signal(Signal::CONT)
    }
}

fn redis(cluster: &Cluster) -> Result<&Redis> {
    cluster.redis.as_ref().context("there is no Redis")
}

/// A separate disk for photos and screenshots, so that it can be full.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    async fn mount(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=256m", "tmpfs"])
            .arg(&folder);
        let mounted = mount.status().await.context("cannot run mount")?;
        ensure!(
            mounted.success(),
            "cannot mount a separate disk: this requires root"
        );
        Ok(Self { folder })
    }

    /// Fills the disk. Returns the file to remove to make room again.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.folder.join("filler");
        let mut file = std::fs::File::create(&path)?;
        for size in [1 << 20, 1 << 12, 1] {
            let chunk = vec![0; size];
            while file.write_all(&chunk).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount")
            .arg("--lazy")
            .arg(&self.folder)
            .status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.folder.display());
        }
    }
}

/// Returns the driver of a worker: a child process of the worker's driver host.
fn driver_of(worker: u32) -> Option<Pid> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .find(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.contains("(chromedriver")
                && parent_of(*pid).and_then(parent_of) == Some(worker.cast_signed())
        })
        .and_then(Pid::from_raw)
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

/// Returns Debian's library that gives one process another time.
fn faketime() -> Result<String> {
    let machines = std::fs::read_dir("/usr/lib")?.flatten();
    let libraries = machines.map(|machine| machine.path().join("faketime/libfaketimeMT.so.1"));
    let mut found = libraries.filter(|library| library.is_file());
    let found = found
        .next()
        .context("libfaketime is not installed; run `make faketime`")?;
    Ok(found.display().to_string())
}
