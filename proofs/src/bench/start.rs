//! Measures the time until an instance that was started before is ready, and its memory when it is idle.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep};

use super::process::resident_kib;
use super::table::{Row, median, time};
use crate::instance::Instance;

const STARTS: usize = 5;
const READY_BAR: Duration = Duration::from_millis(100);
const RESIDENT_BAR_MIB: f64 = 30.0;
/// The time after which the memory of the start is released and background work has run.
const REST: Duration = Duration::from_secs(5);

/// Leaves the instance running.
pub async fn measure(instance: &mut Instance) -> Result<Vec<Row>> {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        instance.stop().await?;
        let start = Instant::now();
        instance.start().await?;
        starts.push(start.elapsed());
    }
    sleep(REST).await;
    let resident = resident_kib(instance.pid().context("the process does not run")?)? as f64 / 1024.0;
    let ready = median(&mut starts);
    Ok(vec![
        Row {
            what: "started again until /ready, median".to_owned(),
            measured: time(ready),
            yardstick: String::new(),
            ratio: String::new(),
            bar: time(READY_BAR),
            is_met: ready <= READY_BAR,
        },
        Row {
            what: "resident memory at rest".to_owned(),
            measured: format!("{resident:.1} MiB"),
            yardstick: String::new(),
            ratio: String::new(),
            bar: format!("{RESIDENT_BAR_MIB:.0} MiB"),
            is_met: resident <= RESIDENT_BAR_MIB,
        },
    ])
}
