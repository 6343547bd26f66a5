//! Chaos: servers and workers of one instance under a load of publications, replies and readings, while in turn everything
//! that they stand on fails; then the practice site's records say what was done, and how often.
//!
//! [`load`] is what sellers do meanwhile, [`fault`] is what fails, [`harm`] is what was seen of it, [`report`] counts. A new
//! fault is a variant of [`Fault`] with its two acts there.

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

/// How long throughput is measured before a fault, and after it.
const MEASURED: Duration = Duration::from_secs(8);
/// How long a run without fault lasts.
const CONTROL: Duration = Duration::from_secs(15);
/// The longest until everything is as before.
const RECOVERS_WITHIN: Duration = Duration::from_secs(90);
const SERVERS: usize = 2;
const WORKERS: usize = 3;
const HANDS: usize = 3;
const SELLERS: usize = 4;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Options {
    pub faults: Vec<Fault>,
    /// The disabled rule; empty: none.
    pub failpoints: String,
}

/// Lets the faults befall one instance, one after the other.
///
/// # Errors
///
/// The engines or processes do not start. What a fault does is counted, and is no error.
pub async fn run(options: &Options) -> Result<Report> {
    let mut cluster = Cluster::start(true).await?;
    cluster.set("FAILPOINTS", &options.failpoints);
    let mut stricken = Stricken::prepare(&cluster, &options.faults).await?;
    cluster.add(SERVERS, 0, HANDS).await?;
    stricken.behind_line(&mut cluster).await?;
    cluster.add(0, WORKERS - 1, HANDS).await?;
    let url = cluster.servers[0].url();
    // A site as slow as a near one, so that whoever dies has something in hand.
    for on in ["publish", "photo", "reply"] {
        let rule = json!({"on": on, "times": 1_000_000, "do": {"latency_ms": 120}});
        cluster.site().add_rule(&rule).await?;
    }
    let load = Load::start(&cluster, &url, SELLERS).await?;
    let harm = Harm::begin(&cluster).await?;
    let mut cells = vec![control(&load, &harm, &cluster).await?];
    eprintln!("{}", cells[0]);
    for fault in &options.faults {
        let cell = befall(*fault, &mut stricken, &mut cluster, &load, &harm).await;
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

/// The same without a fault.
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

async fn befall(
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
    stricken.befall(fault, cluster).await?;
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
