//! Processor time, memory and file limits of processes, as the operating system reports them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The unit of processor time in `/proc`: Linux sets USER_HZ to 100 on every common machine (time(7), proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the user and system time that a process has used, with a resolution of one clock tick.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may contain any character. After it, `utime` and `stime` are fields 12 and 13 (proc(5)).
    let (_, fields) = text.rsplit_once(')').context("the process has no name")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u64>)
        .sum::<Result<_, _>>()?;
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// Returns the processor time that this thread has used.
pub fn own_processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Returns the resident memory of a process, in KiB.
pub fn resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// Returns the peak resident memory of a process since its start or since [`reset_peak`], in KiB.
pub fn peak_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

/// Resets the peak memory (proc(5), `clear_refs`).
pub fn reset_peak(pid: u32) -> Result<()> {
    Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

fn status_kib(pid: u32, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("the process has ended")?.parse()?)
}

/// Returns the resident memory of a process, in KiB, with a proportional part of shared pages.
pub fn proportional_kib(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("the process has ended")?.parse()?)
}

/// Raises the limit of open files of this process and its children to the maximum.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // If this fails, the limit stays unchanged, and a measurement that needs more reports it.
    let _unchanged = setrlimit(Resource::Nofile, most);
}

/// Returns the number of files that this process and its children may open.
pub fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
