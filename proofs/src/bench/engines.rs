//! Runs the same work on each engine, with commits that wait for the disk: SQLite in one process, and PostgreSQL and
//! Redis with two servers and two workers.
//!
//! The jobs mark threads as read that no longer exist, so they are claimed and ended like any other job and do nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use futures::future::try_join_all;
use prost::Message as _;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QuerySelect as _,
};
use tokio::time::{Instant, sleep, timeout};
use tonic::codegen::http::uri::PathAndQuery;
use vintedbot_domain::jobs::{self, Cadence, Kind, NewJob, State};
use vintedbot_domain::store::Store;
use vintedbot_domain::store::entities::jobs as rows;
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::{ListThreadsRequest, Listing};

use super::load::{self, Calls, Target};
use super::table::{Row, percentile, time};
use super::{fixture, live, search};
use crate::cluster::Cluster;
use crate::instance::{Browser, Instance, Practice, Setup};

const JOBS: usize = 4_000;
/// The number of accounts of the jobs; they are scheduled round-robin.
const ACCOUNTS: usize = 200;
/// The number of jobs in one transaction.
const CHUNK: usize = 500;
/// The time in which all jobs are written. They become due together after it.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// The number of jobs that become due one after the other.
const PUT_OFF: usize = 400;
const APART: Duration = Duration::from_millis(25);
/// The number of commits of the yardstick, and of concurrent committers.
const COMMITS: usize = 2_000;
const COMMITTERS: usize = 8;
/// The time for which schedules that run every second are observed.
const SCHEDULES_FOR: Duration = Duration::from_secs(20);
const EVERY_SECOND: [&str; 2] = ["sweeper", "publish_queue"];
const IN_FLIGHT: usize = 32;
const READS_FOR: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(5);
const ENDS_WITHIN: Duration = Duration::from_secs(120);
const LATE_BAR: Duration = Duration::from_secs(1);
/// The number of jobs that each worker runs at a time.
const CONCURRENCY: usize = 4;

/// The engine and the clients of a measurement.
struct Environment {
    name: &'static str,
    store: Store,
    /// The clients of two servers, or twice of the only server.
    here: Client,
    there: Client,
    reads: Target,
    sample: Listing,
}

pub async fn measure(folder: &Path) -> Result<Vec<Row>> {
    let mut rows = on_sqlite(&folder.join("engines")).await?;
    rows.extend(on_postgres_and_redis().await?);
    Ok(rows)
}

async fn on_sqlite(folder: &Path) -> Result<Vec<Row>> {
    std::fs::create_dir_all(folder)?;
    let practice = Practice::start(&folder.join("records.jsonl")).await?;
    let mut instance = Instance::new(Setup {
        data_dir: folder.join("data"),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Off,
        settings: vec![("CONCURRENCY".to_owned(), (2 * CONCURRENCY).to_string())],
    })?;
    instance.start().await?;
    let client = fixture::client(&instance).await?;
    let place = Environment {
        name: "SQLite",
        store: fixture::store(&format!("sqlite://{}", instance.database().display())).await?,
        sample: fixture::sample(&client).await?,
        here: client.clone(),
        there: client,
        reads: Target::of(&instance)?,
    };
    let measured = place.measure().await;
    drop(place);
    instance.stop().await?;
    practice.stop().await?;
    measured
}

async fn on_postgres_and_redis() -> Result<Vec<Row>> {
    let mut cluster = Cluster::start(true).await?;
    let store = fixture::store(&cluster.postgres.url()).await?;
    for change in ["ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"] {
        store.writer().execute_unprepared(change).await?;
    }
    cluster.set("LOG", "warn");
    cluster.add(2, 2, CONCURRENCY).await?;
    let [here, there] = [0, 1].map(|number| cluster.client(&cluster.servers[number].url()));
    let here = here?;
    let server = &cluster.servers[0];
    let place = Environment {
        name: "PostgreSQL and Redis",
        store,
        sample: fixture::sample(&here).await?,
        there: there?,
        reads: Target::at(server.url(), server.pid(), &server.token_file())?,
        here,
    };
    let measured = place.measure().await;
    drop(place);
    cluster.stop().await?;
    measured
}

impl Environment {
    async fn measure(&self) -> Result<Vec<Row>> {
        let mut rows = vec![self.jobs().await?, self.put_off().await?, self.schedules().await?];
        let what = format!("{}: commit to watcher", self.name);
        rows.push(live::measure(&what, (&self.here, &self.there), &self.store, &self.sample).await?);
        rows.push(self.threads().await?);
        Ok(rows)
    }

    fn row(&self, what: &str, measured: String) -> Row {
        Row {
            what: format!("{}: {what}", self.name),
            measured,
            yardstick: String::new(),
            ratio: String::new(),
            bar: "none".to_owned(),
            is_met: true,
        }
    }

    /// Measures jobs from due to done, compared with commits without a job.
    async fn jobs(&self) -> Result<Row> {
        let began = Instant::now();
        for first in (0..JOBS).step_by(CHUNK) {
            let left = WRITTEN_WITHIN.saturating_sub(began.elapsed());
            ensure!(!left.is_zero(), "cannot write the jobs in time");
            let due: Vec<_> = (first..first + CHUNK).map(|_| left).collect();
            self.enqueue(due).await?;
        }
        sleep(WRITTEN_WITHIN.saturating_sub(began.elapsed())).await;
        let began = Instant::now();
        self.all_done().await?;
        let a_second = JOBS as f64 / began.elapsed().as_secs_f64();
        let commits = self.commits().await?;
        Ok(Row {
            yardstick: format!("{commits:.0} commits a second by {COMMITTERS} at once"),
            ratio: format!("{:.1} commits a job", commits / a_second),
            ..self.row(&format!("{JOBS} durable jobs"), format!("{a_second:.0} a second"))
        })
    }

    /// Measures jobs with different due times: how long after the due time they are done.
    async fn put_off(&self) -> Result<Row> {
        rows::Entity::delete_many()
            .filter(rows::Column::Kind.eq(Kind::MarkThreadRead))
            .exec(self.store.writer())
            .await?;
        let due = (1..=PUT_OFF as u32).map(|number| Duration::from_secs(2) + APART * number);
        self.enqueue(due.collect()).await?;
        sleep(APART * PUT_OFF as u32).await;
        self.all_done().await?;
        let done = rows::Entity::find()
            .filter(rows::Column::Kind.eq(Kind::MarkThreadRead))
            .all(self.store.reader())
            .await?;
        let late = done.iter().map(|job| {
            let due: i64 = job.subject_id.as_deref().unwrap_or_default().parse()?;
            Ok(job.update_time - due)
        });
        let late = late.collect::<Result<_>>()?;
        Ok(self.lateness("jobs of a moment, until they are done", late))
    }

    /// Measures how late schedules run that are due every second.
    async fn schedules(&self) -> Result<Row> {
        let zone = jiff::tz::TimeZone::UTC;
        for id in EVERY_SECOND {
            jobs::update_schedule(&self.store, id, Some(Cadence::Every(1_000)), None, &zone).await?;
        }
        let mut next = BTreeMap::new();
        let mut late = Vec::new();
        let began = Instant::now();
        while began.elapsed() < SCHEDULES_FOR {
            for row in jobs::list_schedules(&self.store).await? {
                if !EVERY_SECOND.contains(&row.id.as_str()) {
                    continue;
                }
                let was = next.insert(row.id, row.next_run);
                if let (Some(was), Some(last_run)) = (was, row.last_run)
                    && was != row.next_run
                {
                    late.push(last_run - was);
                }
            }
            sleep(LOOK).await;
        }
        // The change of the cadence moved the first run of each schedule forward.
        ensure!(late.len() > EVERY_SECOND.len(), "the schedules do not run");
        Ok(self.lateness("schedules of every second", late))
    }

    fn lateness(&self, what: &str, milliseconds: Vec<i64>) -> Row {
        let mut late: Vec<_> = milliseconds
            .into_iter()
            .map(|late| Duration::from_millis(late.max(0).unsigned_abs()))
            .collect();
        late.sort_unstable();
        let [p50, p99] = [0.5, 0.99].map(|part| percentile(&late, part));
        Row {
            bar: format!("p99 {}", time(LATE_BAR)),
            is_met: p99 <= LATE_BAR,
            ..self.row(
                &format!("{what}, late by"),
                format!("p50 {}, p99 {}", time(p50), time(p99)),
            )
        }
    }

    async fn threads(&self) -> Result<Row> {
        search::fill_threads(&self.store, &self.sample.account_id).await?;
        self.store.writer().execute_unprepared("ANALYZE").await?;
        let request = ListThreadsRequest {
            page_size: 50,
            ..Default::default()
        };
        let calls = Arc::new(Calls {
            path: PathAndQuery::from_static("/vintedbot.v1.InboxService/ListThreads"),
            requests: vec![request.encode_to_vec().into()],
        });
        load::run(&self.reads, &calls, IN_FLIGHT, Duration::from_secs(1)).await?;
        let read = load::run(&self.reads, &calls, IN_FLIGHT, READS_FOR).await?;
        let [p50, p99] = [0.5, 0.99].map(|part| time(read.percentile(part)));
        Ok(self.row(
            &format!("ListThreads, 50 of {}, {IN_FLIGHT} at once", search::THREADS),
            format!(
                "{:.0} a second, p50 {p50}, p99 {p99}, {} of the server each",
                read.per_second(),
                time(read.processor_time_per_call())
            ),
        ))
    }

    /// Writes a job for each wait.
    async fn enqueue(&self, waits: Vec<Duration>) -> Result<()> {
        let enqueued = self.store.write(move |tx| {
            let waits = waits.clone();
            async move {
                let now = tx.now().await?;
                for (number, wait) in waits.into_iter().enumerate() {
                    let due_time = now + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
                    let job = NewJob {
                        kind: Kind::MarkThreadRead,
                        workspace_id: None,
                        account_id: Some(format!("account-{}", number % ACCOUNTS)),
                        // The thread does not exist. The subject keeps the due time, because `due_time` is overwritten.
                        subject_id: due_time.to_string(),
                        due_time,
                        unique_key: None,
                    };
                    jobs::enqueue(tx, job).await?;
                }
                Ok(())
            }
            .boxed()
        });
        Ok(enqueued.await?)
    }

    async fn all_done(&self) -> Result<()> {
        let open = rows::Entity::find()
            .filter(rows::Column::Kind.eq(Kind::MarkThreadRead))
            .filter(rows::Column::State.ne(State::Done));
        let done = async {
            while open.clone().count(self.store.reader()).await? > 0 {
                sleep(LOOK).await;
            }
            anyhow::Ok(())
        };
        timeout(ENDS_WITHIN, done)
            .await
            .context("some jobs are not done in time")?
    }

    /// Measures the commits of the engine per second; each changes one row.
    async fn commits(&self) -> Result<f64> {
        let rows = rows::Entity::find()
            .filter(rows::Column::Kind.eq(Kind::MarkThreadRead))
            .limit(COMMITTERS as u64)
            .all(self.store.reader())
            .await?;
        let began = Instant::now();
        let committers = rows.iter().map(|row| async move {
            for turn in 0..COMMITS / COMMITTERS {
                let change = format!("UPDATE jobs SET payload = 'turn {turn}' WHERE id = '{}'", row.id);
                self.store.writer().execute_unprepared(&change).await?;
            }
            anyhow::Ok(())
        });
        try_join_all(committers).await?;
        Ok(COMMITS as f64 / began.elapsed().as_secs_f64())
    }
}
