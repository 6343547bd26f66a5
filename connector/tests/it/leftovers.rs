//! Cleanup of an attempt whose process is gone.

use std::path::Path;
use std::time::Duration;

use vintedbot_connector::is_running;
use vintedbot_marketplace::{Ending, Error, FillStep, Language, ListingFormIdentity, Marketplace, Process};

use crate::site::{Site, Steps, account_context, content, photos};

/// Counts the processes that name the folder in their command line.
fn processes_with(dir: &Path) -> usize {
    let dir = dir.to_str().expect("a plain path");
    let entries = std::fs::read_dir("/proc").expect("this is Linux");
    let names_dir = |entry: std::fs::DirEntry| {
        let command_line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command_line).contains(dir)
    };
    entries.flatten().map(names_dir).filter(|names| *names).count()
}

#[tokio::test]
async fn dropped_attempt_ends_its_browser() {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    let request = site.request(content, Vec::new());
    let dir = request.work_dir.clone();
    let form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    let browser = form_driver.identity().browser.expect("a browser");
    drop(form_driver);
    let gone = async {
        while is_running(&browser) || processes_with(&dir) > 0 || dir.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("processes and folder are gone");
}

/// Returns a process that never existed.
fn dead_process() -> Process {
    Process {
        pid: 4_194_303,
        start_ticks: 1,
    }
}

#[tokio::test]
async fn leftover_browser_is_ended_by_its_identity() {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    let request = site.request(content, photos(1));
    let dir = request.work_dir.clone();
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    let identity = form_driver.identity();
    assert!(identity.session_id.is_some());
    let (driver, browser) = (
        identity.driver.clone().expect("a driver"),
        identity.browser.clone().expect("a browser"),
    );
    let half_way = Steps {
        stop_at: Some(FillStep::TitleFilled),
        ..Steps::default()
    };
    assert!(matches!(
        form_driver.fill(&half_way).await,
        Err(Error::Stopped(_))
    ));
    assert!(is_running(&driver) && is_running(&browser) && processes_with(&dir) > 1);
    // Skips all destructors, as SIGKILL does.
    std::mem::forget(form_driver);

    assert_eq!(site.browser().end(&identity).await, Ending::Ended);
    assert!(!is_running(&driver) && !is_running(&browser));
    assert_eq!(processes_with(&dir), 0);
    assert!(!dir.exists());
    assert_eq!(
        site.browser().end(&identity).await,
        Ending::Ended,
        "an ended attempt stays ended"
    );
}

#[tokio::test]
async fn leftover_browser_without_identity_is_found_by_folder() {
    let site = Site::start().await;
    let connector = site.browser();
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    let request = site.request(content, Vec::new());
    let dir = request.work_dir.clone();
    let form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    std::mem::forget(form_driver);
    let known = ListingFormIdentity {
        worker: dead_process(),
        driver_url: None,
        session_id: None,
        driver: None,
        browser: None,
        profile_dir: Some(dir.clone()),
    };
    assert_eq!(site.browser().end(&known).await, Ending::Ended);
    assert_eq!(processes_with(&dir), 0);
}

#[tokio::test]
async fn browserless_attempt_ends_with_its_process_or_its_work() {
    let site = Site::start().await;
    let connector = site.plain();
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    let form_driver = connector
        .compose(&account_context, site.request(content, Vec::new()))
        .await
        .expect("an attempt");
    let identity = form_driver.identity();
    assert_eq!(
        connector.end(&identity).await,
        Ending::Unknown,
        "it may still be sending"
    );
    assert_eq!(form_driver.quit().await, Ending::Ended);
    assert_eq!(connector.end(&identity).await, Ending::Ended);

    let another = vintedbot_connector::this_process();
    let parent = std::os::unix::process::parent_id();
    let stat = std::fs::read_to_string(format!("/proc/{parent}/stat")).expect("the parent runs");
    let ticks = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().nth(19))
        .expect("field 22");
    let alive = Process {
        pid: parent,
        start_ticks: ticks.parse().expect("a number"),
    };
    assert_ne!(alive, another);
    assert_eq!(
        connector
            .end(&ListingFormIdentity {
                worker: alive,
                ..identity.clone()
            })
            .await,
        Ending::Unknown
    );
    assert_eq!(
        connector
            .end(&ListingFormIdentity {
                worker: dead_process(),
                ..identity
            })
            .await,
        Ending::Ended
    );
}
