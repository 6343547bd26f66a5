//! Operating-system processes of this machine: told apart by number and start time, found by the folder that they were
//! started with, ended for certain. Reads `/proc`, so this is for Linux.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use vintedbot_marketplace::Process;

/// How long an ended process may take to disappear before it counts as not ended.
const GONE_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(25);
const WIPE_TRIES: usize = 80;

/// The process that runs this code.
pub fn this_process() -> Process {
    let pid = std::process::id();
    Process {
        pid,
        start_ticks: start_ticks(pid).unwrap_or_default(),
    }
}

/// Whether exactly this process still runs on this machine. A zombie, which can no longer act, does not.
pub fn is_running(process: &Process) -> bool {
    start_ticks(process.pid) == Some(process.start_ticks)
}

/// The process that has this number now.
pub(crate) fn by_pid(pid: u32) -> Option<Process> {
    Some(Process {
        pid,
        start_ticks: start_ticks(pid)?,
    })
}

/// Every running process, but this one, that was started with an option (`--name=value`) that names `dir` or something
/// inside it: a browser by its profile, a driver by its log.
pub(crate) fn using_dir(dir: &Path) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id())
        .filter_map(by_pid)
        .filter(|process| names_dir(process.pid, dir))
        .collect()
}

/// Kills one process, if it is still the one that is meant.
pub(crate) fn kill(process: &Process) {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    // The descriptor pins the process, so that the number cannot pass to another one between look and kill.
    let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if is_running(process)
        && let Err(error) = pidfd_send_signal(&fd, Signal::KILL)
    {
        tracing::warn!(pid = process.pid, %error, "a process could not be killed");
    }
}

/// Kills these processes and everything started with `dir`, and waits until none is left. `false` when some survived.
pub(crate) async fn end_all(known: &[Process], dir: Option<&Path>) -> bool {
    let ended = tokio::time::timeout(GONE_WITHIN, async {
        let mut clean_looks = 0;
        // Two looks in a row, because a driver may have been starting its browser just before it was killed.
        while clean_looks < 2 {
            let mut left: Vec<Process> = known
                .iter()
                .filter(|process| is_running(process))
                .cloned()
                .collect();
            left.extend(dir.map(using_dir).unwrap_or_default());
            clean_looks = if left.is_empty() { clean_looks + 1 } else { 0 };
            left.iter().for_each(kill);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await;
    ended.is_ok()
}

/// Waits until none of these processes runs; does nothing to them. `false` when the time was not enough.
pub(crate) async fn gone_within(known: &[Process], limit: Duration) -> bool {
    tokio::time::timeout(limit, async {
        while known.iter().any(is_running) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await
    .is_ok()
}

/// Kills everything started with `dir` at once, and removes it and its `scratch` as soon as nobody writes there any more.
/// For where nobody can wait.
pub(crate) fn end_aside(dir: PathBuf, scratch: PathBuf) {
    using_dir(&dir).iter().for_each(kill);
    std::thread::spawn(move || {
        for _ in 0..WIPE_TRIES {
            std::thread::sleep(LOOK_EVERY);
            let left = using_dir(&dir);
            left.iter().for_each(kill);
            if left.is_empty()
                && [&dir, &scratch]
                    .into_iter()
                    .all(|each| is_wiped(std::fs::remove_dir_all(each)))
            {
                return;
            }
        }
    });
}

/// Removes an attempt's folder with all that is in it.
pub(crate) async fn wipe(dir: PathBuf) {
    // The children of a killed browser may still be writing for a moment.
    for _ in 0..WIPE_TRIES {
        if is_wiped(tokio::fs::remove_dir_all(&dir).await) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tracing::warn!(dir = %dir.display(), "an attempt's folder could not be removed");
}

fn is_wiped(removed: std::io::Result<()>) -> bool {
    match removed {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn names_dir(pid: u32, dir: &Path) -> bool {
    let Ok(command_line) = std::fs::read(format!("/proc/{pid}/cmdline")) else {
        return false;
    };
    has_option_with(&command_line, dir.as_os_str().as_bytes())
}

/// Whether a command line has an option `--name=dir`, or one with something inside `dir`. Arguments end with NUL, but the
/// children that Chromium's zygote forks write theirs as one text with blanks.
fn has_option_with(command_line: &[u8], dir: &[u8]) -> bool {
    let ends_argument = |byte: &u8| matches!(byte, 0 | b' ');
    command_line
        .windows(dir.len() + 1)
        .enumerate()
        .filter(|(_, window)| window[0] == b'=' && &window[1..] == dir)
        .any(|(at, window)| {
            let (before, after) = (&command_line[..at], &command_line[at + window.len()..]);
            let option = before.rsplit(ends_argument).next().unwrap_or_default();
            let is_whole = after
                .first()
                .is_none_or(|byte| *byte == b'/' || ends_argument(byte));
            option.starts_with(b"--") && is_whole
        })
}

fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command in field 2 may itself hold spaces and brackets, so the fields are counted from its last bracket.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_one_with_another_start_time_does_not() {
        let own = this_process();
        assert!(is_running(&own));
        assert!(!is_running(&Process {
            start_ticks: own.start_ticks + 1,
            ..own
        }));
    }

    #[test]
    fn dir_in_an_option_is_found_in_separate_and_in_joined_arguments() {
        let found = |line: &str| has_option_with(line.as_bytes(), b"/srv/a b");
        assert!(found("chromium\0--user-data-dir=/srv/a b\0--lang=de\0"));
        assert!(found("chromium\0--user-data-dir=/srv/a b/profile\0"));
        assert!(found(
            "chromium --type=renderer --user-data-dir=/srv/a b/profile --lang=de"
        ));
        assert!(found("chromium --type=renderer --user-data-dir=/srv/a b"));
        assert!(!found("chromium\0--user-data-dir=/srv/a bc\0"));
        assert!(!found("vi\0DATA_DIR=/srv/a b\0"));
        assert!(!found("vi\0/srv/a b\0"));
        assert!(!found(""));
    }

    #[tokio::test]
    async fn a_process_is_found_by_the_folder_in_its_options_and_ended() {
        let dir = std::env::temp_dir().join(format!("vintedbot-process-{}", std::process::id()));
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", "read line", "--"])
            .arg(format!("--user-data-dir={}/profile", dir.display()))
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("sh starts");
        let _open = child.stdin.take();
        let pid = child.id().expect("it runs");
        assert_eq!(
            using_dir(&dir).iter().map(|found| found.pid).collect::<Vec<_>>(),
            vec![pid]
        );
        assert!(using_dir(&dir.with_extension("other")).is_empty());

        let reaper = tokio::spawn(async move { child.wait().await });
        assert!(end_all(&[], Some(&dir)).await);
        assert!(using_dir(&dir).is_empty());
        assert!(reaper.await.expect("the wait ends").is_ok());
    }
}
