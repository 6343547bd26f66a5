//! The browser of an attempt, which this process starts on behalf of the driver: see
//! [`driver_host`](crate::driver_host).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixListener;
use tokio::process::{Child, Command};
use vintedbot_marketplace::{Error, Process};

use super::broken;
use super::devtools::Pipe;
use crate::driver_host::{DOOR, DOOR_SOCKET};
use crate::{failpoints, process};

/// The maximum size of the driver's browser arguments in bytes, longer than any real command line.
const MOST_SWITCHES: u32 = 256 * 1024;
/// Redirects the pipes to Chromium's debugging descriptors: it reads commands from 3 and answers on 4. Chromium ends
/// when descriptor 3 is closed, and the kernel closes it when this process ends.
const REDIRECTED: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
/// The same, but the browser also holds the other end of the pipe, so that it is never closed. Used by a failpoint.
const OUTLIVING: &str = r#"exec "$0" "$@" 3<&0 4>&1 9>/proc/self/fd/0 </dev/null >/dev/null 2>&1"#;

/// The socket on which the driver's request for its browser arrives.
pub(crate) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

/// A running browser that this process started.
pub(crate) struct Browser {
    pub(crate) child: Child,
    pub(crate) process: Option<Process>,
    pub(crate) pipe: Pipe,
}

impl Door {
    /// Creates the door in a folder that only this user can access. `host` is the program that plays its role.
    pub(crate) fn put(host: &Path, folder: &Path) -> Result<Self, Error> {
        let path = folder.join(DOOR);
        std::os::unix::fs::symlink(host, &path).map_err(broken)?;
        let listener = UnixListener::bind(folder.join(DOOR_SOCKET)).map_err(broken)?;
        Ok(Self { listener, path })
    }

    /// The path that the driver starts as its browser.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the driver, then starts `program` with the switches that the driver wants.
    pub(crate) async fn browser(self, program: &Path, scratch: &Path) -> Result<Browser, Error> {
        let (mut driver, _) = self.listener.accept().await.map_err(broken)?;
        let length = driver.read_u32_le().await.map_err(broken)?;
        if length > MOST_SWITCHES {
            return Err(broken("the driver asks for a browser with too many switches"));
        }
        let mut switches = vec![0; length as usize];
        driver.read_exact(&mut switches).await.map_err(broken)?;
        let switches = switches.split(|byte| *byte == 0).filter(|each| !each.is_empty());
        let redirected = match failpoints::disables("orphans") {
            true => OUTLIVING,
            false => REDIRECTED,
        };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", redirected])
            .arg(program)
            .args(switches.map(OsStr::from_bytes));
        if failpoints::disables("debugger") {
            command.arg("--remote-debugging-port=0");
        }
        let mut child = command
            .env("TMPDIR", scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // The process group is separate, as for the driver: Ctrl-C in the terminal reaches this process only.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| broken(format!("{} does not start: {error}", program.display())))?;
        let (Some(to_browser), Some(from_browser)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(broken("the browser has no debugging pipe"));
        };
        let (from_driver, to_driver) = driver.into_split();
        Ok(Browser {
            process: child.id().and_then(process::by_pid),
            pipe: Pipe::join(from_browser, to_browser, from_driver, to_driver),
            child,
        })
    }
}
