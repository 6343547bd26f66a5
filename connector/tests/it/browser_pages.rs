//! Broken pages and dead browsers: each gives a typed error and leaves no browser running.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vintedbot_connector::{BrowserConfig, is_running};
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::{Ending, Error, Language, Marketplace, WriteError};

use crate::site::{Allowed, Site, Steps, account_context, chromium, content, photos};

/// Fills a form that is changed by `rule`. Returns the error, and asserts that no browser is left running.
async fn filling(rule: Value) -> Error {
    let site = Site::start().await;
    let connector = site.browser_as(BrowserConfig {
        page_load_timeout: Duration::from_secs(3),
        ..chromium()
    });
    let account_context = account_context(Language::Fr);
    let photos = photos(1);
    let content = content(&connector, &account_context, &photos).await;
    site.script(rule).await;
    let request = site.request(content, photos);
    let work_dir = request.work_dir.clone();
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    let identity = form_driver.identity();
    let error = form_driver.fill(&Steps::default()).await.expect_err("no form");
    assert_eq!(form_driver.quit().await, Ending::Ended);
    for process in [identity.driver, identity.browser].into_iter().flatten() {
        assert!(!is_running(&process), "{process:?}");
    }
    assert!(!work_dir.exists());
    assert!(site.records("draft_saved").await.is_empty());
    error
}

async fn is_unusable(rule: Value, message: &str) {
    match filling(rule).await {
        Error::Unusable { what, evidence } => {
            assert!(what.contains(message), "{what}");
            assert!(!evidence.url.is_empty(), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn endless_redirect_is_a_page_error() {
    is_unusable(json!({ "on": "form", "do": "redirect_loop" }), "redirect").await;
}

#[tokio::test]
async fn page_that_never_loads_is_a_page_error() {
    is_unusable(json!({ "on": "form", "do": "never_finishes" }), "never finishes").await;
}

#[tokio::test]
async fn alert_box_is_a_page_error() {
    is_unusable(json!({ "on": "form", "do": "alert_box" }), "alert box").await;
}

#[tokio::test]
async fn download_is_a_page_error_and_is_not_stored() {
    is_unusable(json!({ "on": "form", "do": "download" }), "download").await;
}

#[tokio::test]
async fn broken_connection_is_an_unavailable_site() {
    let error = filling(json!({ "on": "form", "do": "reset" })).await;
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn overlay_over_a_field_is_a_challenge() {
    for step in ["description", "brand", "photos"] {
        match filling(json!({ "on": "form", "do": { "overlay_at": step } })).await {
            Error::Challenge { verdict, evidence } => {
                assert_eq!(verdict.kind, Kind::CaptchaInPage, "{step}");
                assert!(evidence.screenshot.is_some());
            }
            other => panic!("{step}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn refused_call_is_reported_before_the_broken_form() {
    for (on, challenge, expected) in [
        ("attributes", "unknown_block", Kind::UnknownBlock),
        ("attributes", "emptied_json", Kind::UnknownBlock),
        ("photo", "unknown_block", Kind::UnknownBlock),
        ("photo", "rate_limit", Kind::RateLimited),
        ("photo", "second_factor", Kind::SecondFactor),
    ] {
        match filling(json!({ "on": on, "do": { "challenge": challenge } })).await {
            Error::Challenge { verdict, evidence } => {
                assert_eq!(verdict.kind, expected, "{challenge} at {on}");
                assert!(evidence.screenshot.is_some(), "{challenge} at {on}");
            }
            other => panic!("{challenge} at {on}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn missing_form_is_a_broken_page_not_a_missing_field() {
    match filling(json!({ "on": "form", "do": { "challenge": "broken_page" } })).await {
        Error::Challenge { verdict, .. } => assert_eq!(verdict.kind, Kind::BrokenPage),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn emptied_answer_after_the_click_is_unknown() {
    match filling(json!({ "on": "colors", "do": { "challenge": "emptied_json" } })).await {
        Error::Challenge { verdict, .. } => assert_eq!(verdict.kind, Kind::UnknownBlock),
        other => panic!("{other:?}"),
    }
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::En);
    let photos = photos(1);
    let content = content(&connector, &account_context, &photos).await;
    let mut form_driver = connector
        .compose(&account_context, site.request(content, photos))
        .await
        .expect("a browser");
    form_driver.fill(&Steps::default()).await.expect("a filled form");
    site.script(json!({ "on": "save_draft", "do": { "challenge": "emptied_json" } }))
        .await;
    let saved = form_driver.save_draft(&Allowed).await;
    assert!(matches!(saved, Err(WriteError::Unknown(_))), "{saved:?}");
    form_driver.quit().await;
    assert!(site.records("draft_saved").await.is_empty());
}

#[tokio::test]
async fn dead_browser_is_reported_as_gone() {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::Fr);
    let photos = photos(1);
    let content = content(&connector, &account_context, &photos).await;
    let mut form_driver = connector
        .compose(&account_context, site.request(content, photos))
        .await
        .expect("a browser");
    let browser = form_driver.identity().browser.expect("its process is known");
    let pid = rustix::process::Pid::from_raw(browser.pid as i32).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it was there");
    let error = form_driver.fill(&Steps::default()).await.expect_err("no browser");
    assert!(matches!(error, Error::Browser(_)), "{error:?}");
    assert_eq!(form_driver.quit().await, Ending::Ended);
}

fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("driver");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a folder to write to");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
    path
}

/// Starts an attempt with this driver and returns the error.
async fn starting_with(chromedriver: PathBuf) -> Error {
    let site = Site::start().await;
    let account_context = account_context(Language::Fr);
    let content = content(&site.plain(), &account_context, &[]).await;
    let connector = site.browser_as(BrowserConfig {
        chromedriver,
        // The test reads the output of some of these drivers.
        isolated: false,
        ..chromium()
    });
    match connector
        .compose(&account_context, site.request(content, Vec::new()))
        .await
    {
        Err(error) => error,
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test]
async fn missing_driver_is_reported() {
    let error = starting_with("/nonexistent/chromedriver".into()).await;
    assert!(
        matches!(&error, Error::Browser(message) if message.contains("/nonexistent/chromedriver")),
        "{error:?}"
    );
}

#[tokio::test]
async fn driver_that_exits_at_once_is_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = starting_with(script(folder.path(), "exit 3")).await;
    assert!(
        matches!(&error, Error::Browser(message) if message.contains("ended before")),
        "{error:?}"
    );
}

#[tokio::test]
async fn driver_version_mismatch_names_both_versions() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let body = json!({ "value": {
                "error": "session not created", "stacktrace": "",
                "message": "session not created: This version of ChromeDriver only supports Chrome version 99\n\
                            Current browser version is 154.0.8037.57 with binary path /usr/bin/chromium",
            }})
            .to_string();
            let answer = format!(
                "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let message = format!("echo 'ChromeDriver was started successfully on port {port}.'; exec sleep 60");
    let error = starting_with(script(folder.path(), &message)).await;
    match error {
        Error::Browser(message) => assert!(
            message.contains("99") && message.contains("154.0.8037.57"),
            "{message}"
        ),
        other => panic!("{other:?}"),
    }
}
