//! Operating-system processes of this machine: identified by id and start time, found by the folder in their command
//! line, and ended reliably. Reads `/proc`, so it works on Linux only.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use vintedbot_marketplace::Process;

/// How long a killed process may take to disappear before it counts as not ended.
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

/// Whether exactly this process still runs on this machine. A zombie, which can no longer act, does not count.
pub fn is_running(process: &Process) -> bool {
    start_ticks(process.pid) == Some(process.start_ticks)
}

/// Returns the process that has this id now.
pub(crate) fn by_pid(pid: u32) -> Option<Process> {
    Some(Process {
        pid,
        start_ticks: start_ticks(pid)?,
    })
}

/// Returns every running process, except this one, whose command line has an option (`--name=value`) that names `dir`
/// or a path inside it: a browser by its profile, a driver by its log.
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

/// Kills a process, if its id still belongs to it.
pub(crate) fn kill(process: &Process) {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    // The descriptor pins the process, so that its id cannot pass to another process between check and kill.
    let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if is_running(process)
        && let Err(error) = pidfd_send_signal(&fd, Signal::KILL)
    {
        tracing::warn!(pid = process.pid, %error, "a process could not be killed");
    }
}

/// Kills these processes and every process that names `dir`, and waits until all have ended. Returns `false` if some
/// survive.
pub(crate) async fn end_all(known: &[Process], dir: Option<&Path>) -> bool {
    let ended = tokio::time::timeout(GONE_WITHIN, async {
        let mut clean_looks = 0;
        // Two clean looks in a row, because a driver may have been starting its browser just before it was killed.
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

/// Waits until none of these processes runs, without ending them. Returns `false` if the limit passes first.
pub(crate) async fn gone_within(known: &[Process], limit: Duration) -> bool {
    tokio::time::timeout(limit, async {
        while known.iter().any(is_running) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await
    .is_ok()
}

/// Kills every process that names `dir` at once. Removes `dir` and `scratch` in a background thread, as soon as no
/// process writes there any more. For callers that cannot wait.
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

/// Removes an attempt's folder with its content.
pub(crate) async fn wipe(dir: PathBuf) {
    // The children of a killed browser may still write for a moment.
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

/// Whether a command line has an option `--name=dir`, or one with a path inside `dir`. Arguments end with NUL, but the
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
    // The command in field 2 may contain spaces and brackets, so the fields are counted from its last bracket.
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
    fn process_is_identified_by_id_and_start_time() {
        let own = this_process();
        assert!(is_running(&own));
        assert!(!is_running(&Process {
            start_ticks: own.start_ticks + 1,
            ..own
        }));
    }

    #[test]
    fn option_dir_is_found_in_separate_and_joined_arguments() {
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
    async fn process_is_found_by_its_profile_folder_and_killed() {
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
