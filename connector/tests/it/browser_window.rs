//! Manual takeover: a headed window that is left to the person, on a screen of the test.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use vintedbot_connector::BrowserConfig;
use vintedbot_marketplace::{BrowserWindow, Ending, Error, Language, Marketplace, WriteError};

use crate::site::{Allowed, Site, Steps, account_context, chromium, content, photos};

/// A virtual screen that ends when this is dropped.
struct Screen {
    _server: Child,
    name: String,
}

async fn screen() -> Screen {
    let mut server = Command::new("Xvfb")
        .args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1400x1700x24",
            "-nolisten",
            "tcp",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("Xvfb is installed");
    let mut line = String::new();
    let stdout = server.stdout.take().expect("its output is piped");
    let mut lines = tokio::io::BufReader::new(stdout);
    tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut line)
        .await
        .expect("it says its number");
    Screen {
        _server: server,
        name: format!(":{}", line.trim()),
    }
}

/// Returns a Chromium on that screen. A script sets its environment, because all tests share the environment of this
/// process.
fn on(screen: &Screen, folder: &std::path::Path) -> BrowserConfig {
    use std::os::unix::fs::PermissionsExt as _;
    let chromium = chromium();
    let script = folder.join("chromium");
    let text = format!(
        "#!/bin/sh\nDISPLAY={} exec {} \"$@\"\n",
        screen.name,
        chromium.browser_binary.display()
    );
    std::fs::write(&script, text).expect("a folder to write to");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
    BrowserConfig {
        browser_binary: script,
        headless: false,
        ..chromium
    }
}

#[tokio::test]
async fn manual_takeover_window_is_only_observed_until_closed() {
    let screen = screen().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let site = Site::start().await;
    let connector = site.browser_as(on(&screen, folder.path()));
    let account_context = account_context(Language::Fr);
    let photos = photos(1);
    let content = content(&connector, &account_context, &photos).await;
    let mut form_driver = connector
        .compose(&account_context, site.request(content, photos))
        .await
        .expect("a browser");
    let steps = Steps::default();
    form_driver.fill(&steps).await.expect("a filled form");
    form_driver.manual_takeover().await.expect("a window");
    match form_driver.window().await {
        BrowserWindow::Open(url) => assert!(url.ends_with("/items/new"), "{url}"),
        BrowserWindow::Closed => panic!("it is open"),
    }
    let saved = form_driver.save_draft(&Allowed).await;
    assert!(matches!(saved, Err(WriteError::NotSent(_))), "{saved:?}");
    let filled = form_driver.fill(&Steps::default()).await;
    assert!(matches!(filled, Err(Error::Browser(_))), "{filled:?}");
    assert!(site.records("draft_saved").await.is_empty());

    // The person, played by a second session at the same driver, closes the window.
    let identity = form_driver.identity();
    let (url, session) = (
        identity.driver_url.clone().expect("a driver"),
        identity.session_id.clone().expect("a session"),
    );
    let dir = identity.profile_dir.expect("a folder");
    let closed = Command::new("curl")
        .arg("--unix-socket")
        .arg(crate::doors::option_of_host(&dir, "socket"))
        .args(["-sf", "-X", "DELETE", &format!("{url}/session/{session}/window")])
        .stdout(Stdio::null())
        .status()
        .await
        .expect("curl is installed");
    assert!(closed.success());
    let mut window = form_driver.window().await;
    for _ in 0..50 {
        if window == BrowserWindow::Closed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        window = form_driver.window().await;
    }
    assert_eq!(window, BrowserWindow::Closed);
    assert_eq!(form_driver.quit().await, Ending::Ended);
}

#[tokio::test]
async fn headless_browser_refuses_manual_takeover() {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    let mut form_driver = connector
        .compose(&account_context, site.request(content, Vec::new()))
        .await
        .expect("a browser");
    let refused = form_driver.manual_takeover().await;
    assert!(matches!(refused, Err(Error::Browser(_))), "{refused:?}");
    form_driver.quit().await;
}
