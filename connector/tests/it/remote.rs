//! Publishing through a remote driver: a real chromedriver, and grids that fail in known ways.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{any, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use vintedbot_connector::BrowserConfig;
use vintedbot_marketplace::{
    AccountContext, Ending, Error, FillStep, Language, ListingFormIdentity, Marketplace,
};

use crate::site::{Allowed, Site, Steps, account_context, chromium, content, photos};

/// A chromedriver that the test starts.
struct Driver {
    _process: Child,
    url: String,
}

async fn driver() -> Driver {
    let mut process = Command::new(chromium().chromedriver)
        .args(["--port=0", "--log-level=SEVERE"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("chromedriver is installed");
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    while let Some(line) = lines.next_line().await.expect("text") {
        if let Some((_, port)) = line.rsplit_once("successfully on port ") {
            let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Driver {
                _process: process,
                url,
            };
        }
    }
    panic!("chromedriver printed no port");
}

impl Driver {
    /// Returns the number of its sessions.
    async fn sessions(&self) -> usize {
        let answer = reqwest::get(format!("{}/sessions", self.url))
            .await
            .expect("it answers");
        let body: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
        body["value"].as_array().expect("a list").len()
    }
}

fn at(url: &str) -> BrowserConfig {
    BrowserConfig {
        start_timeout: Duration::from_secs(20),
        ..BrowserConfig::remote(url, None, true).expect("an address")
    }
}

#[tokio::test]
async fn remote_driver_gets_the_photos_and_keeps_no_session() {
    let driver = driver().await;
    let site = Site::start().await;
    let connector = site.browser_as(at(&driver.url));
    let account_context = account_context(Language::Fr);
    let photos = photos(2);
    let content = content(&connector, &account_context, &photos).await;
    let request = site.request(content, photos);
    let work_dir = request.work_dir.clone();
    let mut form_driver = connector
        .compose(&account_context, request)
        .await
        .expect("a browser");
    let identity = form_driver.identity();
    assert_eq!(identity.driver_url.as_deref(), Some(driver.url.as_str()));
    assert!(identity.session_id.is_some() && identity.driver.is_none() && identity.browser.is_none());
    assert_eq!(driver.sessions().await, 1);

    form_driver.fill(&Steps::default()).await.expect("a filled form");
    let in_folder = std::fs::read_dir(work_dir.join("photos")).map(Iterator::count);
    assert_eq!(
        in_folder.unwrap_or_default(),
        0,
        "the photos went through the driver"
    );
    let saved = form_driver.save_draft(&Allowed).await.expect("a saved draft");
    assert!(saved.remote_id.is_some(), "the page's own answer was seen");
    assert_eq!(form_driver.quit().await, Ending::Ended);
    assert_eq!(driver.sessions().await, 0);
    assert!(!work_dir.exists());
    assert_eq!(site.records("photo").await.len(), 2);
}

/// Starts an attempt that stops halfway and whose process is gone, as after SIGKILL.
async fn abandoned(site: &Site, driver: &Driver, account_context: &AccountContext) -> ListingFormIdentity {
    let connector = site.browser_as(at(&driver.url));
    let content = content(&connector, account_context, &[]).await;
    let mut form_driver = connector
        .compose(account_context, site.request(content, photos(1)))
        .await
        .expect("a browser");
    let half_way = Steps {
        stop_at: Some(FillStep::TitleFilled),
        ..Steps::default()
    };
    assert!(matches!(
        form_driver.fill(&half_way).await,
        Err(Error::Stopped(_))
    ));
    let identity = form_driver.identity();
    std::mem::forget(form_driver);
    identity
}

#[tokio::test]
async fn leftover_remote_session_is_ended_and_driver_proves_it() {
    let driver = driver().await;
    let site = Site::start().await;
    let account_context = account_context(Language::Fr);
    let (left, other) = (
        abandoned(&site, &driver, &account_context).await,
        abandoned(&site, &driver, &account_context).await,
    );
    assert_eq!(driver.sessions().await, 2);
    // Any machine can end the session, with or without an installed browser.
    let successor = site.plain();
    assert_eq!(successor.end(&left).await, Ending::Ended);
    assert_eq!(
        driver.sessions().await,
        1,
        "the other session belongs to another client"
    );
    assert_eq!(
        successor.end(&left).await,
        Ending::Ended,
        "the driver says that it is gone"
    );
    // A driver that does not answer proves nothing, because its browser may be alive.
    let unheard = ListingFormIdentity {
        driver_url: Some("http://127.0.0.1:9".to_owned()),
        ..other.clone()
    };
    assert_eq!(successor.end(&unheard).await, Ending::Unknown);
    assert_eq!(successor.end(&other).await, Ending::Ended);
}

#[tokio::test]
async fn dropped_attempt_ends_its_remote_session() {
    let driver = driver().await;
    let site = Site::start().await;
    let connector = site.browser_as(at(&driver.url));
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    let form_driver = connector
        .compose(&account_context, site.request(content, Vec::new()))
        .await
        .expect("a browser");
    drop(form_driver);
    let gone = async {
        while driver.sessions().await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("it is ended");
}

/// How a scripted grid answers a request for a new session.
#[derive(Clone)]
enum Grid {
    NoFreeSlot,
    Hangs,
    /// It creates a session and does not know it afterwards.
    LosesSession,
}

#[derive(Clone)]
struct Played {
    grid: Grid,
    asked: Arc<AtomicUsize>,
}

async fn new_session(State(played): State<Played>) -> (StatusCode, Json<Value>) {
    played.asked.fetch_add(1, Ordering::Relaxed);
    match played.grid {
        Grid::NoFreeSlot => {
            let value = json!({
                "error": "session not created",
                "message": "Could not start a new session. New session request timed out \nHost info: host: 'f3a'",
                "stacktrace": "",
            });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "value": value })))
        }
        Grid::Hangs => std::future::pending().await,
        Grid::LosesSession => {
            let capabilities =
                json!({ "browserName": "chrome", "se:cdp": "ws://127.0.0.1:9/session/lost/se/cdp" });
            let value = json!({ "sessionId": "lost", "capabilities": capabilities });
            (StatusCode::OK, Json(json!({ "value": value })))
        }
    }
}

async fn unknown_session() -> (StatusCode, Json<Value>) {
    let value = json!({ "error": "invalid session id", "message": "no such session", "stacktrace": "" });
    (StatusCode::NOT_FOUND, Json(json!({ "value": value })))
}

/// Starts a scripted grid. Returns its address and the number of session requests.
async fn grid(grid: Grid) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let played = Played {
        grid,
        asked: Arc::clone(&asked),
    };
    let app = Router::new()
        .route("/wd/hub/session", post(new_session))
        .route("/wd/hub/session/{*rest}", any(unknown_session))
        .with_state(played);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = format!("http://{}/wd/hub", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, asked)
}

/// Returns the error of an attempt on that grid, and the number of session requests.
async fn refused(part: Grid) -> (String, usize) {
    let (url, asked) = grid(part).await;
    let site = Site::start().await;
    let connector = site.browser_as(BrowserConfig {
        start_timeout: Duration::from_secs(1),
        ..at(&url)
    });
    let account_context = account_context(Language::Fr);
    let content = content(&connector, &account_context, &[]).await;
    let request = site.request(content, photos(1));
    match connector.compose(&account_context, request).await {
        Err(Error::Browser(message)) => (message, asked.load(Ordering::Relaxed)),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("there is no browser"),
    }
}

#[tokio::test]
async fn full_grid_is_asked_once_and_names_the_setting() {
    let (message, asked) = refused(Grid::NoFreeSlot).await;
    assert!(
        message.contains("WEBDRIVER_URL") && message.contains("timed out"),
        "{message}"
    );
    assert!(!message.contains("Host info"), "{message}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn unresponsive_grid_times_out() {
    let (message, asked) = refused(Grid::Hangs).await;
    assert!(message.contains("WEBDRIVER_URL"), "{message}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn lost_grid_session_ends_the_attempt_with_proof() {
    let (message, _) = refused(Grid::LosesSession).await;
    assert!(!message.is_empty());
    let (url, _) = grid(Grid::LosesSession).await;
    let identity = ListingFormIdentity {
        worker: vintedbot_connector::this_process(),
        driver_url: Some(url),
        session_id: Some("lost".to_owned()),
        driver: None,
        browser: None,
        profile_dir: None,
    };
    let site = Site::start().await;
    assert_eq!(site.plain().end(&identity).await, Ending::Ended);
}
