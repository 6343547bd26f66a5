//! The person's own hand: a window that is left to them, headed, on a screen of the test's own.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use vintedbot_connector::BrowserConfig;
use vintedbot_marketplace::{Ending, Error, Language, Marketplace, Window, WriteError};

use crate::site::{Allowed, Site, Steps, chromium, content, photos, seat};

/// A screen that nobody sees, for as long as this lives.
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
    let mut said = String::new();
    let stdout = server.stdout.take().expect("its output is piped");
    let mut lines = tokio::io::BufReader::new(stdout);
    tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut said)
        .await
        .expect("it says its number");
    Screen {
        _server: server,
        name: format!(":{}", said.trim()),
    }
}

/// A Chromium on that screen, started by a script: the tests share one environment, which is not theirs to change.
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
async fn a_window_that_was_handed_over_is_only_looked_at_until_the_person_closes_it() {
    let screen = screen().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let site = Site::start().await;
    let connector = site.browser_as(on(&screen, folder.path()));
    let seat = seat(Language::Fr);
    let photos = photos(1);
    let content = content(&connector, &seat, &photos).await;
    let mut composer = connector
        .compose(&seat, site.request(content, photos))
        .await
        .expect("a browser");
    let steps = Steps::default();
    composer.fill(&steps).await.expect("a filled form");
    composer.hand_over().await.expect("a window");
    match composer.window().await {
        Window::Open(url) => assert!(url.ends_with("/items/new"), "{url}"),
        Window::Closed => panic!("it is open"),
    }
    let saved = composer.save_draft(&Allowed).await;
    assert!(matches!(saved, Err(WriteError::NotSent(_))), "{saved:?}");
    let filled = composer.fill(&Steps::default()).await;
    assert!(matches!(filled, Err(Error::Browser(_))), "{filled:?}");
    assert!(site.records("draft_saved").await.is_empty());

    // The person, played by a second session at the same driver, closes the window.
    let identity = composer.identity();
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
    let mut window = composer.window().await;
    for _ in 0..50 {
        if window == Window::Closed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        window = composer.window().await;
    }
    assert_eq!(window, Window::Closed);
    assert_eq!(composer.quit().await, Ending::Ended);
}

#[tokio::test]
async fn a_browser_without_a_window_is_not_handed_over() {
    let site = Site::start().await;
    let connector = site.browser();
    let seat = seat(Language::Fr);
    let content = content(&connector, &seat, &[]).await;
    let mut composer = connector
        .compose(&seat, site.request(content, Vec::new()))
        .await
        .expect("a browser");
    let handed = composer.hand_over().await;
    assert!(matches!(handed, Err(Error::Browser(_))), "{handed:?}");
    composer.quit().await;
}
