//! The check of which selectors match on a page.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use vintedbot_connector::{Checked, CheckedPage, check_selectors};
use vintedbot_marketplace::challenge::{Detector, Kind};
use vintedbot_marketplace::selectors::{Key, Selectors};
use vintedbot_marketplace::{Language, Marketplace};

use crate::site::{Allowed, Site, Steps, account_context, chromium, content, photos};

async fn check(page: &Url, work_dir: &Path) -> CheckedPage {
    let selectors = Arc::new(Selectors::embedded().clone());
    let detector = Arc::new(Detector::embedded().clone());
    check_selectors(&chromium(), selectors, detector, page, work_dir)
        .await
        .expect("a page")
}

fn count(checked: &[Checked], key: Key) -> usize {
    checked
        .iter()
        .find(|each| each.key == key)
        .expect("every key is looked at")
        .count
}

/// Starts a proxy that adds the member's cookies to each request, so that a visitor without cookies sees the member's
/// pages.
async fn with_cookies(site: &str, cookies: &Value) -> String {
    let site = site.trim_start_matches("http://").to_owned();
    let cookies: Vec<String> = cookies
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(name, _)| *name != "datadome")
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    let cookies = cookies.join("; ");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut visitor, _)) = listener.accept().await {
            let (site, cookies) = (site.clone(), cookies.clone());
            tokio::spawn(async move {
                let mut asked = vec![0; 65536];
                let read = visitor.read(&mut asked).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..read]);
                let head: Vec<&str> = asked
                    .split("\r\n")
                    .filter(|line| !line.to_lowercase().starts_with("cookie:"))
                    .collect();
                let asked = head
                    .join("\r\n")
                    .replacen("\r\n", &format!("\r\nCookie: {cookies}\r\n"), 1);
                let mut upstream = TcpStream::connect(&site).await.expect("the site is there");
                upstream
                    .write_all(asked.as_bytes())
                    .await
                    .expect("the request is sent");
                let _ = tokio::io::copy_bidirectional(&mut upstream, &mut visitor).await;
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn check_finds_every_form_generation_without_clicks() {
    for markup in ["2023", "2026-05", "2026-07", "2026-09"] {
        let site = Site::start().await;
        let account_context = account_context(Language::Fr);
        let photos = photos(1);
        let plain = site.plain();
        let content = content(&plain, &account_context, &photos).await;
        let mut form_driver = plain
            .compose(&account_context, site.request(content, photos))
            .await
            .expect("an attempt");
        form_driver.fill(&Steps::default()).await.expect("a filled form");
        let draft = form_driver.save_draft(&Allowed).await.expect("a draft").remote_id;
        form_driver.quit().await;
        let member = json!({ "login": account_context.practice_login, "language": "fr", "pages": { "markup": markup } });
        let member = site.admin("POST", "members", member).await;
        let before = site.admin("GET", "records", json!(null)).await;
        let door = with_cookies(&site.url(), &member["cookies"]).await;
        let page = format!("{door}/items/{}/edit", draft.expect("an id"));
        let page = Url::parse(&page).expect("an address");
        let checked = check(&page, &site.work_dir()).await;
        assert_eq!((&checked.url, &checked.verdict), (&page, &None));
        let checked = checked.elements;
        for key in Key::FORM_FIELDS.into_iter().chain(Key::EDIT_FIELDS) {
            assert!(count(&checked, key) > 0, "{markup}: {}", key.name());
        }
        assert_eq!(count(&checked, Key::PhotoDelete), 1, "{markup}");
        assert_eq!(count(&checked, Key::PackageSizeOption), 3);
        assert_eq!(count(&checked, Key::CategoryRow), 0, "no list was opened");
        assert_eq!(before, site.admin("GET", "records", json!(null)).await);
    }
}

#[tokio::test]
async fn check_finds_the_buttons_of_an_own_item() {
    let site = Site::start().await;
    let member = json!({ "login": account_context(Language::Fr).practice_login, "language": "fr" });
    let member = site.admin("POST", "members", member).await;
    let item = json!({ "title": "Sweat gris", "price": 20, "catalog_id": 7030 });
    let item = json!({ "member_id": member["id"], "item": item, "photos": 1 });
    let item = site.admin("POST", "items", item).await["item"].clone();
    let door = with_cookies(&site.url(), &member["cookies"]).await;
    let page = Url::parse(&format!("{door}/items/{}", item["id"])).expect("an address");
    let checked = check(&page, &site.work_dir()).await;
    assert_eq!((&checked.url, &checked.verdict), (&page, &None));
    for key in Key::ITEM_BUTTONS {
        assert_eq!(count(&checked.elements, key), 1, "{}", key.name());
    }
    assert_eq!(count(&checked.elements, Key::Title), 0);
}

#[tokio::test]
async fn saved_page_runs_no_script_and_sends_no_request() {
    let asked = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("saved page.html");
    let page = format!(
        "<!doctype html><title>saved</title><link rel=stylesheet href='http://127.0.0.1:{port}/a.css'>\
         <input id=title><img src='http://127.0.0.1:{port}/a.png'><li id='catalog-5'></li><li id='catalog-6'></li>\
         <script src='http://127.0.0.1:{port}/a.js'></script>\
         <script>document.getElementById('title').remove(); fetch('http://127.0.0.1:{port}/b')</script>"
    );
    std::fs::write(&path, page).expect("a file");
    let url = Url::from_file_path(&path).expect("an absolute path");
    let checked = check(&url, &folder.path().join("work")).await;
    assert_eq!((&checked.url, &checked.verdict), (&url, &None));
    let checked = checked.elements;
    assert_eq!(count(&checked, Key::Title), 1, "its script was not run");
    assert_eq!(count(&checked, Key::CategoryRow), 2);
    assert_eq!(count(&checked, Key::Price), 0);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn redirect_to_login_is_reported() {
    let site = Site::start().await;
    let asked = Url::parse(&format!("{}/items/new", site.url())).expect("an address");
    let checked = check(&asked, &site.work_dir()).await;
    assert!(
        checked.url.path().starts_with("/member/"),
        "{} without a login",
        checked.url
    );
    assert_eq!(checked.verdict.map(|verdict| verdict.kind), Some(Kind::LoginLost));
    assert_eq!(count(&checked.elements, Key::Title), 0);
}
