//! One run: a database, a site, two to four workers that die, and a person. The seed determines the order of all turns.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::future::LocalBoxFuture;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sea_orm::DbBackend;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use vintedbot_domain::clock::{Clock as _, Millis};
use vintedbot_domain::jobs::{self, Kind};
use vintedbot_domain::publishing::{self, Confirm, Prepare, PublishJob, Resolution, Schedule, State, When};
use vintedbot_domain::{Context, accounts};
use vintedbot_worker::{Config, Worker};

use super::actor::{Actor, forget_the_dead, has_died, is_running};
use super::base::Base;
use super::market::Market;
use super::site::{Answer, Script, Site};

/// The number of turns after which a run that has not come to rest counts as lost.
const MAX_TURNS: u32 = 3_000;

/// A process without a notification looks for due jobs once in this many times.
const LOOKS: u32 = 3;

/// On PostgreSQL, a process that does not return within this time is assumed to wait for a lock, and another takes its
/// turn.
const BLOCKED_AFTER: Duration = Duration::from_millis(20);

/// The result of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub twice: u32,
    pub lost: u32,
    pub undecided: u32,
}

type Attempt = Pin<Box<dyn Future<Output = vintedbot_domain::Result<bool>>>>;

struct Process {
    actor: Arc<Actor>,
    worker: Arc<Worker>,
    attempt: Option<Attempt>,
}

struct Plan {
    script: Script,
    /// For each process in turn, the number of its last await point.
    deaths: Vec<u64>,
    /// The first confirmation is a schedule for this much later.
    schedules_in: Option<Millis>,
    cancels_at: Option<u32>,
    by_hand_at: Option<u32>,
    dry_run: bool,
    workers: usize,
}

fn plan(random: &mut StdRng, base: &Base) -> Plan {
    let settings = &base.context.settings;
    let answers = (0..random.random_range(0..4)).map(|_| answer(random)).collect();
    let deaths = (0..random.random_range(0..5))
        .map(|_| random.random_range(1..260))
        .collect();
    // The delay is shorter than the window by two polls and a request, so that one reading still sees the item.
    let slack = settings.effects.settle_ms
        - 2 * settings.effects.settle_poll_ms
        - settings.effects.request_timeout_ms;
    Plan {
        script: Script {
            answers,
            shows_after: if random.random_bool(0.5) {
                0
            } else {
                random.random_range(0..slack)
            },
            latency: if random.random_bool(0.7) {
                20
            } else {
                settings.effects.request_timeout_ms
            },
            withholds: random.random_bool(0.05),
            new_id: random.random_bool(0.1),
            hides: random.random_bool(0.1),
            challenges: u32::from(random.random_bool(0.1)),
        },
        deaths,
        schedules_in: random.random_bool(0.2).then(|| random.random_range(1..120_000)),
        cancels_at: random.random_bool(0.1).then(|| random.random_range(1..80)),
        by_hand_at: random.random_bool(0.03).then(|| random.random_range(1..80)),
        dry_run: random.random_bool(0.5),
        workers: random.random_range(2..5),
    }
}

fn answer(random: &mut StdRng) -> Answer {
    match random.random_range(0..10) {
        0..5 => Answer::Plain,
        5 => Answer::WithoutId,
        6 | 7 => Answer::AcceptAndLose,
        8 => Answer::LoseRequest,
        _ if random.random_bool(0.5) => Answer::AcceptAndChallenge,
        _ => Answer::Refuse,
    }
}

struct Run<'a> {
    base: &'a Base,
    site: Site,
    random: StdRng,
    deaths: std::vec::IntoIter<u64>,
    next_pid: u32,
    processes: Vec<Process>,
    job_id: String,
}

/// Runs one seed.
pub async fn run(base: &Base, seed: u64) -> Result<Report> {
    forget_the_dead();
    base.restart().await?;
    let mut random = StdRng::seed_from_u64(seed);
    let plan = plan(&mut random, base);
    let site = Site::new(plan.script.clone(), Arc::clone(&base.clock));
    let prepare = Prepare {
        listing_id: base.listing_id.clone(),
        dry_run: plan.dry_run,
        manual_takeover: None,
        request_id: None,
    };
    let job = publishing::prepare(&base.context, &base.caller, prepare).await?;
    let mut run = Run {
        base,
        site,
        random,
        deaths: plan.deaths.clone().into_iter(),
        next_pid: 1,
        processes: Vec::new(),
        job_id: job.id,
    };
    for _ in 0..plan.workers {
        let process = run.start().await?;
        run.processes.push(process);
    }
    let rested = run.take_turns(&plan).await?;
    run.judge(&plan, rested).await
}

impl Run<'_> {
    fn context(&self) -> &Context {
        &self.base.context
    }

    async fn start(&mut self) -> Result<Process> {
        let pid = self.next_pid;
        self.next_pid += 1;
        let actor = Actor::new(pid, self.random.random(), self.deaths.next().unwrap_or(u64::MAX));
        let context = self.context().clone();
        let store = context.store.clone().with_probe(actor.clone());
        let market = Arc::new(Market {
            site: self.site.clone(),
            actor: Arc::clone(&actor),
        });
        let config = Config {
            concurrency: 1,
            work_dir: self.base.folder.path().join("attempts"),
            host: "simulated".to_owned(),
            sync_interval_ms: 300_000,
        };
        let worker = Worker::new(
            context.clone(),
            market.clone(),
            config.clone(),
            CancellationToken::new(),
        )
        .simulated(actor.process.clone(), is_running);
        // The worker row is written without the probe: a process that dies before it is recorded has done nothing.
        worker.open().await?;
        let worker = worker.on_store(store);
        Ok(Process {
            actor,
            worker: Arc::new(worker),
            attempt: None,
        })
    }

    /// Takes turns until no work is left. `false`: the run did not come to rest.
    async fn take_turns(&mut self, plan: &Plan) -> Result<bool> {
        for turn in 0..MAX_TURNS {
            let index = self.random.random_range(0..self.processes.len());
            self.take_turn(index).await?;
            if plan.cancels_at == Some(turn) {
                let (base, job_id) = (self.base, self.job_id.clone());
                // A cancellation that comes too late is a valid answer.
                let cancel = publishing::cancel(&base.context, &base.caller, &job_id, None);
                drop(self.beside(Box::pin(cancel)).await?);
            }
            if plan.by_hand_at == Some(turn) {
                self.site.publish_by_hand();
            }
            if self.random.random_range(0..4) == 0 {
                let (base, site, job_id) = (self.base, self.site.clone(), self.job_id.clone());
                self.beside(Box::pin(person_acts(base, &site, plan, &job_id)))
                    .await??;
            }
            if self.processes.iter().all(|process| process.attempt.is_none()) && !self.moves_on().await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn take_turn(&mut self, index: usize) -> Result<()> {
        if self.processes[index].actor.is_dead() {
            self.processes[index] = self.start().await?;
        }
        if self.processes[index].attempt.is_none() {
            let pid = self.processes[index].actor.process.pid;
            let Some(job_id) = self.next_job(pid).await? else {
                return Ok(());
            };
            let worker = Arc::clone(&self.processes[index].worker);
            self.processes[index].attempt = Some(Box::pin(async move { worker.work_on(&job_id).await }));
        }
        let process = &mut self.processes[index];
        let Some(attempt) = &mut process.attempt else {
            return Ok(());
        };
        let actor = &process.actor;
        // Only this process is polled until it gives way. In between, only its own database statement wakes it.
        let gives_way = std::future::poll_fn(|context| match attempt.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if actor.is_dead() || actor.has_yielded() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        let ended = match self.base.context.store.backend() {
            DbBackend::Postgres => timeout(BLOCKED_AFTER, gives_way).await.unwrap_or(None),
            _ => gives_way.await,
        };
        match ended {
            Some(result) => {
                process.attempt = None;
                self.base.queue.end(process.actor.process.pid, &mut self.random);
                if let Err(error) = result {
                    let lost = error.to_string().contains("the claim on this job was lost");
                    if !lost {
                        bail!("an attempt failed: {error}");
                    }
                }
            }
            None if process.actor.is_dead() => process.attempt = None,
            None => {}
        }
        Ok(())
    }

    /// Returns the job that a process works on: one from a notification, whether it is due or not, or one from its own
    /// query.
    async fn next_job(&mut self, pid: u32) -> Result<Option<String>> {
        if let Some(job_id) = self.base.queue.take(pid, has_died, &mut self.random) {
            return Ok(Some(job_id));
        }
        if self.random.random_range(0..LOOKS) != 0 {
            return Ok(None);
        }
        let due = jobs::due(&self.context().store, &Kind::all()).await?;
        Ok(due.candidates.into_iter().next().map(|candidate| candidate.id))
    }

    /// Runs another action. On PostgreSQL it may wait for locks of a process, so the processes continue until it ends.
    async fn beside<T>(&mut self, mut action: LocalBoxFuture<'_, T>) -> Result<T> {
        if self.context().store.backend() != DbBackend::Postgres {
            return Ok(action.await);
        }
        loop {
            if let Ok(done) = timeout(BLOCKED_AFTER, &mut action).await {
                return Ok(done);
            }
            let index = self.random.random_range(0..self.processes.len());
            self.take_turn(index).await?;
        }
    }

    async fn job(&self) -> Result<PublishJob> {
        Ok(publishing::get(self.context(), &self.base.caller, &self.job_id).await?)
    }

    /// Moves the clock to the next scheduled event. `false`: nothing is scheduled, and the job is at rest.
    async fn moves_on(&mut self) -> Result<bool> {
        let now = self.base.clock.now();
        let next = [self.base.next_due().await?, self.site.next_arrival()]
            .into_iter()
            .flatten()
            .min();
        let job = self.job().await?;
        let account = accounts::get(self.context(), &self.base.caller, &job.account_id).await?;
        let asks_to_act = job.state == State::AwaitingConfirmation || account.pause.is_some();
        match next {
            _ if job.state.has_ended() && self.site.next_arrival().is_none() => Ok(false),
            _ if asks_to_act => Ok(true),
            Some(next) => {
                self.base.clock.set(next.max(now));
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn judge(&mut self, plan: &Plan, rested: bool) -> Result<Report> {
        let job = self.job().await?;
        let publications = self.site.publications();
        let mut report = Report::default();
        if publications > 1 {
            report.twice = 1;
        }
        let asks = job.state == State::Unconfirmed && job.requires_action;
        if asks && !may_ask(plan) {
            report.undecided = 1;
        }
        let reported_wrong = match job.state {
            State::Published => publications == 0 && plan.by_hand_at.is_none(),
            State::Cancelled | State::Expired => publications > 0 && plan.by_hand_at.is_none(),
            State::Failed => publications > 0 && plan.by_hand_at.is_none(),
            _ => !asks,
        };
        if !rested || reported_wrong {
            report.lost = 1;
        }
        self.base
            .check_log()
            .await
            .context("the event log is not consistent")?;
        if std::env::var_os("SIM_TRACE").is_some() {
            println!(
                "script {:?}\ndeaths {:?} schedule {:?} cancel {:?} by hand {:?}",
                plan.script, plan.deaths, plan.schedules_in, plan.cancels_at, plan.by_hand_at
            );
            println!("rested {rested} publications {publications} job {job:#?}");
            self.base.print_steps(&self.job_id).await?;
        }
        Ok(report)
    }
}

/// Acts as the person: confirms prepared jobs, resumes paused accounts, and answers questions.
async fn person_acts(base: &Base, site: &Site, plan: &Plan, job_id: &str) -> Result<()> {
    let (context, caller) = (&base.context, &base.caller);
    let job = publishing::get(context, caller, job_id).await?;
    let account = accounts::get(context, caller, &job.account_id).await?;
    if account.pause.is_some() {
        accounts::resume(context, caller, &job.account_id, None).await?;
        if job.state == State::Blocked {
            publishing::retry(context, caller, &job.id, None).await?;
        }
        return Ok(());
    }
    match job.state {
        State::AwaitingConfirmation => {
            let token = publishing::confirm_token(context, caller, &job.id).await?;
            let Some((token, _)) = token else { return Ok(()) };
            let confirm = Confirm {
                job_id: job.id,
                token,
                dry_run: false,
                request_id: None,
            };
            let first = match plan.schedules_in.filter(|_| job.prepare_number == 1) {
                Some(later) => {
                    let schedule = Schedule {
                        job_id: confirm.job_id.clone(),
                        token: confirm.token.clone(),
                        when: When::At(base.clock.now() + later),
                        request_id: None,
                    };
                    publishing::schedule(context, caller, schedule).await.map(drop)
                }
                None => publishing::confirm(context, caller, confirm.clone())
                    .await
                    .map(drop),
            };
            if first.is_ok() && publishing::confirm(context, caller, confirm).await.is_ok() {
                bail!("a confirmation was used twice");
            }
        }
        State::Unconfirmed if job.requires_action && may_ask(plan) && site.next_arrival().is_none() => {
            let resolution = match site.published_id() {
                Some(remote_item_id) => Resolution::Published { remote_item_id },
                None => Resolution::NotPublished,
            };
            publishing::resolve(context, caller, &job.id, resolution, None).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Returns whether a person must be asked in this run: the evidence is withheld, or the person published on the site.
fn may_ask(plan: &Plan) -> bool {
    plan.script.withholds || plan.by_hand_at.is_some()
}

/// The time at which every run begins.
pub const EPOCH: Millis = 1_800_000_000_000;
