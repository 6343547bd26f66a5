//! One instance that is killed repeatedly. It takes cells from the plan and runs each listing to its end.

mod changes;
mod replies;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use vintedbot_domain::clock::{Clock as _, SystemClock};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{CreateAccountRequest, CreateListingRequest, ListingInput, PublishJob, account};
use vintedbot_sdk::{Error, Upload, id, money};
use vintedbot_worker::Stage;

use super::listing::{Observed, Run};
use super::plan::{Cell, Kill, Phase, Script, What, is_reached};
use super::victim::{Pace, Victim};
use crate::instance::Browser;
use crate::photos;
use crate::records::{Record, Site};

/// The interval between two readings of a job.
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// The time limit of a job after a kill.
const LIMIT: Duration = Duration::from_secs(45);
const BROWSER_LIMIT: Duration = Duration::from_secs(150);
/// The time after a job's end within which the last stages of its attempt are reached.
const HALTS_WITHIN: Duration = Duration::from_secs(4);
/// The time within which the sweeper finds abandoned work, which takes at most two of its runs.
const SWEEP_MS: i64 = 2_000;

/// The end of a listing's job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The job is reported as published, with this item.
    Published { item_id: String },
    /// A person is asked.
    Asked,
    /// Neither in time; the text holds the last known state.
    Neither(String),
}

/// The outcome of a cell.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub cell: Cell,
    pub title: String,
    /// The kills that were made.
    pub kills: Vec<Kill>,
    /// Stages at which a kill was planned, but which were not reached.
    pub missed: Vec<Stage>,
    pub ended: Ended,
    /// The time from when the outcome could be known until it was known, in milliseconds; present if the click came
    /// before the last kill.
    pub lateness_ms: Option<i64>,
    /// The longest allowed lateness.
    pub settle_ms: i64,
    pub browser: bool,
}

/// The usual durations without kills, from which the random moments are chosen.
#[derive(Clone, Copy, Debug)]
struct Usual {
    prepare: Duration,
    publish: Duration,
    restart: Duration,
}

/// An instance with one account and one photo.
pub struct Lane<'a> {
    victim: Victim,
    pace: Pace,
    is_browser: bool,
    site: &'a Site,
    account_id: String,
    photo_id: String,
    usual: Usual,
    limit: Duration,
    /// The last record of the site that an earlier cell has read.
    seen_seq: u64,
    /// The time until which a killed process may still hold work, in UTC milliseconds.
    held_until: i64,
}

impl<'a> Lane<'a> {
    /// Starts an instance in its folder, with an account and a photo, and measures the usual duration of a job without
    /// kills.
    pub async fn open(folder: &Path, site: &'a Site, browser: Browser, failpoints: &str) -> Result<Self> {
        let mut lane = Self::bare(folder, site, browser, failpoints).await?;
        let calm = Cell {
            word: format!("first-{}", SystemIds.id()),
            what: What::Publish,
            dry_run: true,
            script: Script::Nothing,
            kills: Vec::new(),
        };
        let outcome = lane.run(&calm).await?;
        match outcome.ended {
            Ended::Published { .. } => Ok(lane),
            other => bail!("a job without kills was not published: {other:?}"),
        }
    }

    async fn bare(folder: &Path, site: &'a Site, browser: Browser, failpoints: &str) -> Result<Self> {
        let (pace, limit) = match browser {
            Browser::Off => (Pace::BROWSERLESS, LIMIT),
            Browser::Required => (Pace::BROWSER, BROWSER_LIMIT),
        };
        let victim = Victim::start(folder, site.url(), browser, pace, failpoints).await?;
        let client = victim.client.clone();
        let account = client
            .accounts()
            .create(CreateAccountRequest {
                display_name: "Seller".into(),
                market: "fr".into(),
                mode: Some(account::Mode::Mock.into()),
                ..Default::default()
            })
            .await?;
        let connected = async {
            while client.accounts().get(&account.id).await?.member_login.is_empty() {
                sleep(LOOK_EVERY).await;
            }
            Ok::<_, Error>(())
        };
        timeout(limit, connected)
            .await
            .context("the account was not connected in time")??;
        let photo = client
            .media()
            .upload(Upload::bytes(photos::jpeg(1, 600, 800)?))
            .await?;
        let photo_id = photo.photo.context("the answer contains no photo")?.id;
        let unknown = Duration::from_secs(1);
        Ok(Self {
            victim,
            pace,
            is_browser: browser == Browser::Required,
            site,
            account_id: account.id,
            photo_id,
            usual: Usual {
                prepare: unknown,
                publish: unknown,
                restart: unknown,
            },
            limit,
            seen_seq: 0,
            held_until: 0,
        })
    }

    /// Stops the instance and ends the processes that it left behind. Returns the number of these processes.
    pub async fn close(mut self) -> Result<usize> {
        // Waits until the successor may clean up after a killed process.
        sleep(millis(self.held_until - SystemClock.now())).await;
        let stopped = self.victim.stop().await;
        let left = self.victim.end_leftovers();
        stopped.map(|()| left)
    }

    /// Runs one listing through its kills to its end.
    pub async fn run(&mut self, cell: &Cell) -> Result<Outcome> {
        let title = format!("Sweat gris {}", cell.word);
        if let Some(rule) = cell.script.rule(cell.what, &cell.word) {
            self.site.add_rule(&rule).await?;
        }
        self.arm_first(cell, is_reached).await?;
        let listing_id = self.create_listing(&title).await?;
        let mut run = Run::new(cell, listing_id, Instant::now() + self.limit);
        let job = self.drive(&mut run).await?;
        self.conclude(run, title, job).await
    }

    /// Starts a process that halts at the first kill's stage, if preparing reaches that stage.
    async fn arm_first(&mut self, cell: &Cell, is_reached: fn(Stage, Phase, bool) -> bool) -> Result<()> {
        let armed = cell.kills.first().and_then(|kill| match kill {
            Kill::At {
                stage,
                from: Phase::Prepare,
            } => Some(*stage),
            Kill::At { stage, .. } if !is_reached(*stage, Phase::Prepare, cell.dry_run) => Some(*stage),
            _ => None,
        });
        let now = SystemClock.now();
        if armed.is_some() && now < self.held_until {
            // Otherwise the process would halt during the cleanup after an earlier cell.
            sleep(millis(self.held_until - now)).await;
        }
        self.arm(armed).await
    }

    /// Calls, kills and restarts until the job settles. `None`: not in time.
    async fn drive(&mut self, run: &mut Run<'_>) -> Result<Option<PublishJob>> {
        let cell = run.cell;
        let began = Instant::now();
        run.set_timer(Phase::Prepare, self.usual.prepare);
        let mut confirmed_at = None;
        let job = loop {
            if self.victim.is_halted() || run.timer.is_some_and(|timer| timer <= Instant::now()) {
                self.kill(run).await?;
                continue;
            }
            if Instant::now() > run.deadline {
                break None;
            }
            let timer = run.timer.unwrap_or_else(|| Instant::now() + self.limit);
            let seen = tokio::select! {
                seen = run.look(&self.victim) => seen?,
                () = sleep_until(timer) => continue,
            };
            match seen {
                Observed::Going => {
                    sleep(LOOK_EVERY.min(timer.saturating_duration_since(Instant::now()))).await
                }
                Observed::ToConfirm(confirmation) => {
                    self.arm_for_publishing(run).await?;
                    if cell.kills.is_empty() {
                        self.usual.prepare = began.elapsed();
                    }
                    confirmed_at = Some(Instant::now());
                    run.confirmation = Some(confirmation);
                    run.set_timer(Phase::Publish, self.usual.publish);
                }
                Observed::Ended(job) => match run.left.front() {
                    // The job was faster than usual. The kill is made nevertheless.
                    Some(Kill::Random { .. }) => self.kill(run).await?,
                    // Stages after the last commit are reached a moment after the job has ended.
                    Some(Kill::At { .. }) if self.halts_soon().await => {}
                    _ => break Some(job),
                },
            }
        };
        for kill in std::mem::take(&mut run.left) {
            if let Kill::At { stage, .. } = kill {
                run.missed.push(stage);
            }
        }
        if cell.kills.is_empty() {
            let elapsed = confirmed_at.map_or(self.usual.publish, |time| time.elapsed());
            self.usual.publish = elapsed;
            self.usual.restart = elapsed + millis(self.pace.successor_after_ms());
        }
        self.held_until = run.last_kill + self.pace.successor_after_ms() + SWEEP_MS;
        Ok(job.map(|job| *job))
    }

    async fn conclude(&mut self, run: Run<'_>, title: String, job: Option<PublishJob>) -> Result<Outcome> {
        let records = self.site.records(self.seen_seq).await?;
        self.seen_seq = records.last().map_or(self.seen_seq, |record| record.seq);
        let is_ours = |record: &&Record| record.published().is_some_and(|item| item.title == title);
        let publication = records.iter().find(is_ours);
        let mut lateness_ms = None;
        let ended = match &job {
            None => Ended::Neither(format!("not in time; {}", run.trouble)),
            Some(job) if job.state() == State::Published => {
                if let Some(publication) = publication.filter(|each| each.time < run.last_kill) {
                    let shown = publication.time + run.cell.script.shows_after_ms();
                    let free = run.last_kill + self.pace.successor_after_ms();
                    let knowable = shown.max(free).max(self.victim.ready_time);
                    let end = job
                        .end_time
                        .map_or(0, |time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000);
                    lateness_ms = (end > run.last_kill).then(|| (end - knowable).max(0));
                }
                Ended::Published {
                    item_id: job.remote_item_id.clone(),
                }
            }
            Some(job) if job.state() == State::Unconfirmed && job.requires_action => {
                self.answer(
                    &job.id,
                    publication
                        .and_then(|record| record.published())
                        .map(|item| item.item_id),
                )
                .await?;
                Ended::Asked
            }
            Some(job) => Ended::Neither(format!("{}: {}", job.state().as_str_name(), job.reason_message)),
        };
        let Run {
            cell, done, missed, ..
        } = run;
        Ok(Outcome {
            cell: cell.clone(),
            title,
            kills: done,
            missed,
            ended,
            lateness_ms,
            settle_ms: self.pace.settle_ms,
            browser: self.is_browser,
        })
    }

    /// Answers the question to a person, with the site's record.
    async fn answer(&self, job_id: &str, item_id: Option<u64>) -> Result<()> {
        let publish = self.victim.client.publish();
        match item_id {
            Some(item_id) => publish.resolve_published(job_id, item_id.to_string()).await,
            None => publish.resolve_not_published(job_id).await,
        }
        .context("cannot resolve the job")?;
        Ok(())
    }

    /// Returns whether the process halts soon. The work after the end of a job may still reach a stage.
    async fn halts_soon(&self) -> bool {
        let halts = async {
            while !self.victim.is_halted() {
                sleep(LOOK_EVERY).await;
            }
        };
        self.victim.armed.is_some() && timeout(HALTS_WITHIN, halts).await.is_ok()
    }

    /// Kills the process, starts its successor, and arms the successor with the next kill.
    async fn kill(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.last_kill = self.victim.kill().await?;
        run.done.extend(run.left.pop_front());
        run.timer = None;
        let armed = match run.left.front() {
            Some(Kill::At {
                stage,
                from: Phase::Restart,
            }) => Some(*stage),
            _ => None,
        };
        self.victim.restart(armed).await?;
        run.set_timer(Phase::Restart, self.usual.restart);
        run.deadline = Instant::now() + self.limit;
        Ok(())
    }

    /// Arms the next kill before the confirmation. A stage that preparing also reaches cannot be armed earlier.
    async fn arm_for_publishing(&mut self, run: &Run<'_>) -> Result<()> {
        match run.left.front() {
            Some(Kill::At {
                stage,
                from: Phase::Publish,
            }) => self.arm(Some(*stage)).await,
            _ => Ok(()),
        }
    }

    /// Ensures that the running process is armed with exactly this stage.
    async fn arm(&mut self, armed: Option<Stage>) -> Result<()> {
        if self.victim.armed != armed {
            self.victim.stop().await?;
            self.victim.restart(armed).await?;
        }
        Ok(())
    }

    /// Creates a listing with every field, so that filling the form reaches every stage.
    async fn create_listing(&self, title: &str) -> Result<String> {
        let listing = ListingInput {
            title: title.to_owned(),
            description: "Porté deux fois, comme neuf.".into(),
            price: Some(money(1_500, "EUR")),
            category: Some(id(7001)),
            brand: Some(id(53)),
            size: Some(id(205)),
            condition: Some(id(3)),
            colors: vec![id(2)],
            materials: vec![id(149)],
            package_size: Some(id(1)),
            photo_ids: vec![self.photo_id.clone()],
        };
        let request = CreateListingRequest {
            account_id: self.account_id.clone(),
            listing: Some(listing),
            ..Default::default()
        };
        Ok(self.victim.client.listings().create(request).await?.id)
    }
}

fn millis(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap_or(0))
}
