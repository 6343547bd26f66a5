//! Chaos: servers and workers of one cluster run under a load of publications, replies and readings, while each
//! dependency fails in turn. Then the practice site's records show which writes were made, and how often.
//!
//! [`load`] runs the sellers, [`fault`] applies the faults, [`harm`] observes their effects, [`report`] counts. To add
//! a fault, add a variant of [`Fault`] with its start and end.

mod fault;
mod harm;
mod line;
mod load;
mod report;

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::Cluster;
use crate::records;
pub use fault::Fault;
use fault::Stricken;
use harm::Harm;
use load::Load;
pub use report::Report;
use report::{Cell, Verdict};

/// The time for which throughput is measured before and after a fault.
const MEASURED: Duration = Duration::from_secs(8);
/// The duration of a run without a fault.
const CONTROL: Duration = Duration::from_secs(15);
/// The time limit of a recovery.
const RECOVERS_WITHIN: Duration = Duration::from_secs(90);
const SERVERS: usize = 2;
const WORKERS: usize = 3;
const HANDS: usize = 3;
const SELLERS: usize = 4;

/// The options of the chaos proof.
#[derive(Clone, Debug)]
pub struct Options {
    pub faults: Vec<Fault>,
    /// The disabled rule; empty means none.
    pub failpoints: String,
}

/// Applies the faults to one cluster, one after the other.
///
/// # Errors
///
/// Fails if the engines or processes do not start. Effects of a fault are counted and are not errors.
pub async fn run(options: &Options) -> Result<Report> {
    let mut cluster = Cluster::start(true).await?;
    cluster.set("FAILPOINTS", &options.failpoints);
    let mut stricken = Stricken::prepare(&cluster, &options.faults).await?;
    cluster.add(SERVERS, 0, HANDS).await?;
    stricken.behind_line(&mut cluster).await?;
    cluster.add(0, WORKERS - 1, HANDS).await?;
    let url = cluster.servers[0].url();
    // A realistic latency of the site, so that a killed process has unfinished work.
    for on in ["publish", "photo", "reply"] {
        let rule = json!({"on": on, "times": 1_000_000, "do": {"latency_ms": 120}});
        cluster.site().add_rule(&rule).await?;
    }
    let load = Load::start(&cluster, &url, SELLERS).await?;
    let harm = Harm::begin(&cluster).await?;
    let mut cells = vec![control(&load, &harm, &cluster).await?];
    eprintln!("{}", cells[0]);
    for fault in &options.faults {
        let cell = inject(*fault, &mut stricken, &mut cluster, &load, &harm).await;
        let cell = cell.with_context(|| fault.name())?;
        eprintln!("{cell}");
        cells.push(cell);
    }
    let pursued = load.finish().await?;
    let records = records::read_file(&cluster.records_file())?;
    let verdict = Verdict::of(&pursued, &records);
    let is_good = verdict.is_good() && cells.iter().all(Cell::is_good);
    if is_good {
        cluster.stop().await?;
    } else {
        cluster.close(Err(anyhow::anyhow!("{verdict}"))).await.ok();
    }
    Ok(Report { cells, verdict })
}

/// Runs the same measurement without a fault.
async fn control(load: &Load, harm: &Harm, cluster: &Cluster) -> Result<Cell> {
    sleep(Duration::from_secs(3)).await;
    let (began, seen) = (Instant::now(), harm.seen(load, cluster));
    sleep(CONTROL).await;
    let rate = load.rate(began, Instant::now());
    Ok(Cell {
        name: "control",
        errors: harm.seen(load, cluster).since(&seen),
        recovery: Some(Duration::ZERO),
        before: rate,
        after: rate,
        is_control: true,
    })
}

async fn inject(
    fault: Fault,
    stricken: &mut Stricken,
    cluster: &mut Cluster,
    load: &Load,
    harm: &Harm,
) -> Result<Cell> {
    let began = Instant::now();
    sleep(MEASURED).await;
    let before = load.rate(began, Instant::now());
    let seen = harm.seen(load, cluster);
    stricken.inject(fault, cluster).await?;
    let lifted = Instant::now();
    let recovery = timeout(RECOVERS_WITHIN, load.whole_round_after(lifted)).await;
    let recovery = recovery.ok().map(|recovered| recovered - lifted);
    let errors = harm.seen(load, cluster).since(&seen);
    let measured = Instant::now();
    sleep(MEASURED).await;
    Ok(Cell {
        name: fault.name(),
        errors,
        recovery,
        before,
        after: load.rate(measured, Instant::now()),
        is_control: false,
    })
}
