//! What the system says of a running process.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// `/proc` counts processor time in these: Linux holds USER_HZ at 100 on every common machine (time(7), proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time that a process has used, in itself and in the system on its behalf; precise to a clock tick.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may contain anything. After it, `utime` and `stime` are the 12th and 13th field (proc(5)).
    let (_, fields) = text.rsplit_once(')').context("the process has no name")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u64>)
        .sum::<Result<_, _>>()?;
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// Processor time that this thread has used.
pub fn own_processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Memory of a process that is in RAM, in KiB.
pub fn resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// The most memory of a process that was ever in RAM, in KiB, or since [`reset_peak`].
pub fn peak_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

/// Begins to look for the peak anew (proc(5), `clear_refs`).
pub fn reset_peak(pid: u32) -> Result<()> {
    Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

fn status_kib(pid: u32, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("the process has ended")?.parse()?)
}

/// Memory of a process that is in RAM, in KiB, with pages that it shares counted in parts.
pub fn proportional_kib(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("the process has ended")?.parse()?)
}

/// Lets this process, and what it starts, open as many files as it may.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where it fails the limit stays as it is, and whoever needs more says so.
    let _stays = setrlimit(Resource::Nofile, most);
}

/// How many files this process, and what it starts, may open.
pub fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
