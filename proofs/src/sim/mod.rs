//! The simulation: the production functions of claim, gate, outcome, reconcile and sweep, and the production worker around
//! them, over an in-memory database with scripted time. A process may die at every statement, commit and request.

mod actor;
mod base;
mod clock;
mod inbox;
mod market;
mod site;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};

pub use world::Report;

use base::Base;

/// Failing seeds that are named; more of them say nothing more.
const SHOWN: u64 = 10;

/// What all runs came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub seeds: u64,
    pub twice: u64,
    pub lost: u64,
    pub undecided: u64,
}

/// Runs seeds `first..first + count` on every core.
pub fn run(first: u64, count: u64) -> Result<Totals> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let next = Arc::new(AtomicU64::new(first));
    let shown = Arc::new(AtomicU64::new(0));
    let handles: Vec<_> = (0..threads.min(count))
        .map(|_| {
            let (next, shown) = (Arc::clone(&next), Arc::clone(&shown));
            std::thread::spawn(move || thread(&next, first + count, &shown))
        })
        .collect();
    let mut totals = Totals::default();
    for handle in handles {
        let part = handle
            .join()
            .map_err(|_| anyhow::anyhow!("a simulating thread panicked"))??;
        totals.seeds += part.seeds;
        totals.twice += part.twice;
        totals.lost += part.lost;
        totals.undecided += part.undecided;
    }
    Ok(totals)
}

fn thread(next: &AtomicU64, end: u64, shown: &AtomicU64) -> Result<Totals> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let base = Base::make().await?;
        let mut totals = Totals::default();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end {
                return Ok(totals);
            }
            let report = world::run(&base, seed)
                .await
                .with_context(|| format!("seed {seed}"))?;
            totals.seeds += 1;
            totals.twice += u64::from(report.twice);
            totals.lost += u64::from(report.lost);
            totals.undecided += u64::from(report.undecided);
            if report.twice + report.lost + report.undecided > 0
                && shown.fetch_add(1, Ordering::SeqCst) < SHOWN
            {
                println!(
                    "seed {seed}: {report:?}; look into it with SIM_TRACE=1 SEED={seed} SEEDS=1 make sim"
                );
            }
        }
    })
}
