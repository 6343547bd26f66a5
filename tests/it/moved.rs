//! Moving an instance to PostgreSQL by command, with a kill in between; and starts that are killed while they create
//! their tables.

use std::process::{Output, Stdio};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use vintedbot_sdk::v1::watch_response::Message;
use vintedbot_sdk::v1::{
    EventKind, ListListingsRequest, ListPhotosRequest, ListPublishJobsRequest, SearchListingsRequest,
    UpdateAccountRequest, WatchRequest,
};
use vintedbot_sdk::{Client, mask};

use crate::postgres::Postgres;
use crate::rig::{Home, PATIENCE};

/// Returns everything that a client can list, as text.
async fn listed(client: &Client) -> Vec<String> {
    let accounts: Vec<_> = client.accounts().list().try_collect().await.expect("accounts");
    let photos = client.media().list(ListPhotosRequest::default());
    // Each answer signs their addresses again.
    let photos: Vec<_> = photos
        .map_ok(|photo| (photo.id, photo.sha256, photo.file_name, photo.create_time))
        .try_collect()
        .await
        .expect("photos");
    let listings = client.listings().list(ListListingsRequest::default());
    let listings: Vec<_> = listings
        .map_ok(|listing| {
            (
                listing.id.clone(),
                listing.title.clone(),
                listing.state(),
                listing.photo_ids,
            )
        })
        .try_collect()
        .await
        .expect("listings");
    let jobs = client.publish().list(ListPublishJobsRequest::default());
    let jobs: Vec<_> = jobs
        .map_ok(|job| {
            (
                job.id.clone(),
                job.state(),
                job.reason(),
                job.remote_item_id,
                job.create_time,
            )
        })
        .try_collect()
        .await
        .expect("jobs");
    let mut all = Vec::new();
    // Values that a start updates are left out.
    all.extend(
        accounts
            .iter()
            .map(|account| format!("{} {:?} {}", account.id, account.state(), account.member_id)),
    );
    all.extend(photos.iter().map(|photo| format!("{photo:?}")));
    all.extend(listings.iter().map(|listing| format!("{listing:?}")));
    all.extend(jobs.iter().map(|job| format!("{job:?}")));
    all
}

/// Returns the number of events and their text from a position in the log until an account was renamed.
async fn renamed(client: &Client, cursor: &str, name: &str) -> (usize, String) {
    let mut watch = client.events().watch(WatchRequest {
        cursor: cursor.to_owned(),
        ..Default::default()
    });
    let mut seen = 0;
    let found = async {
        while let Some(message) = watch.next().await {
            let Message::Event(event) = message.expect("the place in the log is known") else {
                continue;
            };
            let is_it = event.kind() == EventKind::AccountUpdated && format!("{event:?}").contains(name);
            seen += usize::from(is_it);
            if is_it {
                return;
            }
        }
        panic!("the stream ended");
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .expect("it comes in time");
    (seen, watch.cursor().to_owned())
}

async fn rename(client: &Client, name: &str) {
    let accounts: Vec<_> = client.accounts().list().try_collect().await.expect("accounts");
    let mut account = accounts.into_iter().next().expect("an account");
    name.clone_into(&mut account.display_name);
    let update = UpdateAccountRequest {
        id: account.id.clone(),
        account: Some(account),
        update_mask: Some(mask(["display_name"])),
        ..Default::default()
    };
    client.accounts().update(update).await.expect("is renamed");
}

async fn output(home: &Home, arguments: &[&str]) -> (bool, String) {
    let run: Output = home.command(arguments, &[]).output().await.expect("it runs");
    let printed = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    (run.status.success(), printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_move_to_postgresql_resumes_and_completes() {
    let (home, server) = (Home::new(), Postgres::start().await.expect("a server"));
    let instance = home.start(&["--seed"], &[]).await;
    let client = instance.client().await;
    let mut watch = client.events().watch(WatchRequest {
        snapshot: true,
        ..Default::default()
    });
    while let Some(message) = watch.next().await {
        if matches!(message.expect("a snapshot"), Message::SnapshotEnd(_)) {
            break;
        }
    }
    let cursor = watch.cursor().to_owned();
    drop(watch);
    rename(&client, "Before the move").await;

    let from = format!("sqlite://{}", home.data().join("vintedbot.sqlite").display());
    let to = server.url();
    let migrate = ["migrate-store", "--from", &from, "--to", &to];
    let (moved, printed) = output(&home, &migrate).await;
    assert!(
        !moved && printed.contains("in use"),
        "beside a running instance: {printed}"
    );
    assert!(instance.stop().await.success());
    // This is the state after the last possible change.
    let instance = home.start(&[], &[]).await;
    let before = listed(&instance.client().await).await;
    assert!(before.len() > 40, "{} things", before.len());
    assert!(instance.stop().await.success());

    let (mut halves, mut delay) = (0, 30);
    loop {
        let mut child = home.command(&migrate, &[]).spawn().expect("it starts");
        let ended = tokio::time::timeout(Duration::from_millis(delay), child.wait()).await;
        if let Ok(status) = ended {
            assert!(status.expect("it ends").success());
            break;
        }
        child.kill().await.expect("is killed");
        let (started, printed) = output(&home, &["seed"]).await;
        assert!(!started);
        halves += usize::from(printed.contains("migrate-store again"));
        delay += 25;
    }
    assert!(halves > 0, "it was never killed on the way");
    let (again, printed) = output(&home, &migrate).await;
    assert!(again && printed.contains("already moved"), "{printed}");
    let (started, printed) = output(&home, &["serve"]).await;
    assert!(
        !started && printed.contains("was moved to postgres://"),
        "{printed}"
    );
    assert!(printed.contains("DATABASE_URL"), "{printed}");

    let instance = home.start(&[], &[("DATABASE_URL", &to)]).await;
    let client = instance.client().await;
    assert_eq!(listed(&client).await, before);
    let (seen, cursor) = renamed(&client, &cursor, "Before the move").await;
    assert_eq!(seen, 1);
    rename(&client, "After the move").await;
    assert_eq!(renamed(&client, &cursor, "After the move").await.0, 1);
    let listings: Vec<_> = client
        .listings()
        .list(ListListingsRequest::default())
        .try_collect()
        .await
        .expect("listings");
    let title = listings
        .iter()
        .map(|listing| &listing.title)
        .find(|title| !title.is_empty());
    let query = title.expect("one with a title").clone();
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let request = SearchListingsRequest {
            query: query.clone(),
            ..Default::default()
        };
        let found: Vec<_> = client
            .listings()
            .search(request)
            .try_collect()
            .await
            .expect("results");
        if !found.is_empty() {
            break;
        }
        assert!(tokio::time::Instant::now() < until, "the index is never rebuilt");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(instance.stop().await.success());
    server.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn start_killed_during_migration_is_repeated() {
    let server = Postgres::start().await.expect("a server");
    let url = server.url();
    for is_postgres in [false, true] {
        let home = Home::new();
        let settings = is_postgres.then_some(("DATABASE_URL", url.as_str()));
        let settings: Vec<_> = settings.into_iter().collect();
        let mut delay = 10;
        // The file is written when the tables are created and filled. Later steps are repeated by any start that finds
        // them missing.
        while !home.data().join("instance").exists() {
            assert!(delay < 30_000, "it never comes so far");
            let mut child = home.command(&["serve"], &settings).spawn().expect("it starts");
            if let Ok(status) = tokio::time::timeout(Duration::from_millis(delay), child.wait()).await {
                panic!("{status:?} within {delay} ms");
            }
            child.kill().await.expect("is killed");
            delay += 8;
        }
        let status = home.command(&["token"], &settings).status().await;
        assert!(
            status.expect("it ends").success(),
            "after a kill at {} ms",
            delay - 8
        );
    }
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn commands_fail_without_an_existing_instance() {
    let server = Postgres::start().await.expect("a server");
    let url = server.url();
    let nowhere = "postgres://vintedbot:secret@127.0.0.1:1/nothing";
    for (setting, says) in [
        (None, "DATA_DIR"),
        (Some(url.as_str()), "DATABASE_URL"),
        (Some("sqlite://elsewhere/vintedbot.sqlite"), "DATABASE_URL"),
    ] {
        let home = Home::new();
        let settings: Vec<_> = setting.map(|url| ("DATABASE_URL", url)).into_iter().collect();
        for arguments in [&["token"][..], &["schedules", "list"], &["search", "rebuild"]] {
            let output = home
                .command(arguments, &settings)
                .output()
                .await
                .expect("it ends");
            let printed = String::from_utf8_lossy(&output.stderr);
            assert!(
                !output.status.success() && printed.contains("no instance") && printed.contains(says),
                "{arguments:?} {setting:?}: {printed}"
            );
        }
        assert!(!home.data().exists(), "nothing was made");
    }
    // An error that waiting cannot fix is reported at once. It names the setting and does not show the password.
    let home = Home::new();
    let (server_url, _) = url.rsplit_once('/').expect("a database");
    let wrong = format!("{server_url}/no_such_database");
    let output = home.command(&["serve"], &[("DATABASE_URL", &wrong)]).output();
    let output = tokio::time::timeout(Duration::from_secs(10), output).await;
    let output = output.expect("at once").expect("it ends");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(
        printed.contains("DATABASE_URL: the database no_such_database at 127.0.0.1:"),
        "{printed}"
    );
    assert_eq!(printed.matches("does not exist").count(), 1, "{printed}");
    // Startup waits for a server that is not up yet, and logs the wait.
    let mut child = home
        .command(&["serve"], &[("DATABASE_URL", nowhere)])
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("its words")).lines();
    let line = tokio::time::timeout(Duration::from_secs(10), lines.next_line()).await;
    let line = line.expect("at once").expect("it is read").expect("a line");
    assert!(line.contains("127.0.0.1:1") && line.contains("30 s"), "{line}");
    assert!(!line.contains("secret"), "{line}");
    child.kill().await.expect("is killed");
    server.stop().await.expect("stops");
}
