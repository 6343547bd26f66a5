//! Isolation of a running driver and browser from other users of the machine, and their end with the process that
//! started them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use vintedbot_connector::{BrowserConfig, is_isolated};
use vintedbot_marketplace::{
    Ending, Error, FillStep, Language, ListingFormIdentity, ListingFormRequest, Marketplace, Process,
};

use crate::site::{Site, Steps, account_context, chromium, content, photos};

/// Returns the processes that name a folder in their command line, with their arguments.
fn processes_of(dir: &Path) -> Vec<(u32, Vec<String>)> {
    let dir = dir.to_str().expect("a plain path");
    let entries = std::fs::read_dir("/proc").expect("this is Linux").flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let arguments: Vec<_> = line.split('\0').map(str::to_owned).collect();
            let is_of_dir = line.contains(dir) && pid != std::process::id();
            is_of_dir.then_some((pid, arguments))
        })
        .collect()
}

/// Returns the value of an option of the process that hosts the driver of an attempt.
pub fn option_of_host(dir: &Path, name: &str) -> PathBuf {
    let (is_host, option) = (format!("--for={}", dir.display()), format!("--{name}="));
    let found = processes_of(dir).into_iter().find_map(|(_, arguments)| {
        let value = arguments.iter().find_map(|each| each.strip_prefix(&option))?;
        arguments.contains(&is_host).then(|| value.into())
    });
    found.expect("the driver has a host")
}

/// Returns the TCP ports on which these processes listen in the network of this test, which all users of the machine
/// share.
fn ports_of(pids: &[u32]) -> Vec<u16> {
    let sockets: Vec<String> = pids
        .iter()
        .filter_map(|pid| std::fs::read_dir(format!("/proc/{pid}/fd")).ok())
        .flat_map(|entries| entries.flatten())
        .filter_map(|entry| {
            std::fs::read_link(entry.path())
                .ok()?
                .into_os_string()
                .into_string()
                .ok()
        })
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(std::fs::read_to_string);
    tables
        .iter()
        .flatten()
        .flat_map(|table| table.lines().skip(1))
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let is_listening = fields.get(3) == Some(&"0A");
            let inode = (*fields.get(9)?).to_owned();
            let port = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
            (is_listening && sockets.contains(&inode)).then_some(port)
        })
        .collect()
}

fn network_of(pid: u32) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/ns/net")).expect("a process of ours")
}

#[tokio::test]
async fn other_users_reach_neither_driver_nor_browser() {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::Fr);
    let photos = photos(1);
    let content = content(&connector, &account_context, &photos).await;
    let request = site.request(content, photos);
    let dir = request.work_dir.clone();
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    // Logged in, and halfway through the form.
    let half_way = Steps {
        stop_at: Some(FillStep::TitleFilled),
        ..Steps::default()
    };
    assert!(matches!(
        form_driver.fill(&half_way).await,
        Err(Error::Stopped(_))
    ));

    let identity = form_driver.identity();
    let (driver, browser) = (identity.driver.expect("ours"), identity.browser.expect("ours"));
    let all: Vec<u32> = processes_of(&dir).into_iter().map(|(pid, _)| pid).collect();
    assert!(all.contains(&driver.pid) && all.contains(&browser.pid), "{all:?}");
    let is_isolated = is_isolated(&chromium()).expect("the host runs");
    let ports = ports_of(&all);
    if is_isolated {
        assert!(ports.is_empty(), "open to every user of the machine: {ports:?}");
        assert_ne!(network_of(driver.pid), network_of(std::process::id()));
    } else {
        // Without a namespace, only the driver's port is visible, on both loopback addresses.
        assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    }
    assert_eq!(
        network_of(browser.pid),
        network_of(std::process::id()),
        "the browser reaches the site"
    );
    assert!(
        !dir.join("profile/DevToolsActivePort").exists(),
        "no debugging port"
    );
    let socket = option_of_host(&dir, "socket");
    for folder in [socket.parent().expect("a folder"), &dir] {
        let mode = std::fs::metadata(folder).expect("a folder").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", folder.display());
    }
    assert_eq!(form_driver.quit().await, Ending::Ended);
    assert!(processes_of(&dir).is_empty());
}

#[tokio::test]
async fn driver_works_without_a_network_namespace() {
    let site = Site::start().await;
    let connector = site.browser_as(BrowserConfig {
        isolated: false,
        ..chromium()
    });
    let account_context = account_context(Language::De);
    let photos = photos(1);
    let content = content(&connector, &account_context, &photos).await;
    let request = site.request(content, photos);
    let dir = request.work_dir.clone();
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    form_driver.fill(&Steps::default()).await.expect("a filled form");
    let driver = form_driver.identity().driver.expect("ours");
    assert_eq!(network_of(driver.pid), network_of(std::process::id()));
    assert_eq!(form_driver.quit().await, Ending::Ended);
    assert!(processes_of(&dir).is_empty() && !dir.exists());
}

/// The environment variable with the folder of the process that [`killed_process_ends_its_driver_and_browser`] kills.
const KILLED: &str = "VINTEDBOT_TEST_KILLED";

/// Runs as the process that is killed. Does nothing without [`KILLED`] in the environment.
#[tokio::test]
async fn killed_process_holds_a_browser_open() {
    let Ok(folder) = std::env::var(KILLED) else { return };
    let site = Site::start().await;
    let connector = site.browser();
    let photos = photos(1);
    let account_context = account_context(Language::Fr);
    let request = ListingFormRequest {
        work_dir: folder.into(),
        content: content(&connector, &account_context, &photos).await,
        photos,
        keeps_photos: false,
    };
    let _form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    println!("it stands open");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn killed_process_ends_its_driver_and_browser() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("attempt");
    let mut killed = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "doors::killed_process_holds_a_browser_open",
            "--nocapture",
        ])
        .env(KILLED, &dir)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("this program starts");
    let mut lines = BufReader::new(killed.stdout.take().expect("it is piped")).lines();
    while let Some(line) = lines.next_line().await.expect("text") {
        if line.contains("it stands open") {
            break;
        }
    }
    let before = processes_of(&dir);
    assert!(before.len() > 3, "host, driver, door and browser: {before:?}");
    killed.start_kill().expect("SIGKILL");
    let gone = async {
        while !processes_of(&dir).is_empty() {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), gone).await;
    let left = processes_of(&dir);
    for (pid, _) in &left {
        let _ = Command::new("kill").args(["-9", &pid.to_string()]).status().await;
    }
    assert!(ended.is_ok(), "{left:?}");
    // The files on disk remain for the successor.
    assert!(dir.exists());
    let successor = Site::start().await.browser();
    let identity = ListingFormIdentity {
        worker: Process {
            pid: 4_194_303,
            start_ticks: 1,
        },
        driver_url: None,
        session_id: None,
        driver: None,
        browser: None,
        profile_dir: Some(dir.clone()),
    };
    assert_eq!(successor.end(&identity).await, Ending::Ended);
    assert!(!dir.exists());
}
