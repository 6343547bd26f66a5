//! Several processes on one database: which data folders may join, worker names, and due jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::join_all;
use sea_orm::ConnectionTrait as _;
use tokio::sync::Barrier;
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::jobs::{self, Kind, NewJob, WorkerIdentity};
use vintedbot_domain::store::Store;
use vintedbot_domain::{instance, store};
use vintedbot_marketplace::Process;

use crate::postgres::Postgres;
use crate::support::{START, World};

async fn open(url: &str) -> Store {
    let store = store::connect(url, Arc::new(SystemClock), Arc::new(SystemIds)).await;
    let store = store.expect("opens");
    vintedbot_migrations::run_locked(store.writer())
        .await
        .expect("migrates");
    store
}

fn identity(name: Option<&str>, host: &str) -> WorkerIdentity {
    WorkerIdentity {
        id: SystemIds.id(),
        name: name.map(str::to_owned),
        host: host.to_owned(),
        process: Process {
            pid: 7,
            start_ticks: 7,
        },
    }
}

async fn enqueue(store: &Store, kind: Kind, account: &str, due_time: i64) -> String {
    let account = account.to_owned();
    let id = store
        .write(move |tx| {
            let account = account.clone();
            async move {
                let new = NewJob {
                    kind,
                    workspace_id: None,
                    account_id: Some(account.clone()),
                    subject_id: account,
                    due_time,
                    unique_key: None,
                };
                jobs::enqueue(tx, new).await
            }
            .boxed()
        })
        .await;
    id.expect("is queued")
}

#[tokio::test]
async fn folder_of_another_instance_cannot_join_the_cluster() {
    let server = Postgres::start().await.expect("starts");
    let store = open(&server.url()).await;
    let folders: Vec<_> = (0..5).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let started = join_all(
        folders
            .iter()
            .map(|folder| instance::start(&store, folder.path(), "0.1.0", "0.1.0")),
    )
    .await;
    let started: Vec<_> = started
        .into_iter()
        .map(|started| started.expect("joins"))
        .collect();
    for other in &started {
        assert_eq!(
            (&other.instance_id, &other.log_epoch, other.restored),
            (&started[0].instance_id, &started[0].log_epoch, false)
        );
    }
    for folder in &folders {
        let again = instance::start(&store, folder.path(), "0.1.0", "0.1.0").await;
        assert_eq!(again.expect("joins again").log_epoch, started[0].log_epoch);
    }

    let strange = tempfile::tempdir().expect("a folder");
    std::fs::write(strange.path().join("instance"), "another\n").expect("is written");
    let refused = instance::start(&store, strange.path(), "0.1.0", "0.1.0").await;
    let message = refused.expect_err("refused").to_string();
    assert!(
        message.contains("DATA_DIR") && message.contains("another"),
        "{message}"
    );

    // A process in single mode must not begin a new log either while others work.
    let worker = identity(None, "elsewhere");
    jobs::open_worker(&store, &worker, |_| true).await.expect("opens");
    let refused = instance::start(&store, strange.path(), "0.1.0", "0.1.0").await;
    assert!(refused.expect_err("refused").to_string().contains("DATA_DIR"));
    server.stop().await.expect("ends");
}

#[tokio::test]
async fn worker_name_is_unique_among_live_workers() {
    let world = World::new().await;
    let store = &world.context.store;
    let first = identity(Some("attic"), "here");
    jobs::open_worker(store, &first, |_| true).await.expect("opens");
    let refused = jobs::open_worker(store, &identity(Some("attic"), "there"), |_| true).await;
    assert!(refused.expect_err("refused").to_string().contains("attic"));
    for other in [
        identity(Some("cellar"), "here"),
        identity(None, "here"),
        identity(None, "here"),
    ] {
        jobs::open_worker(store, &other, |_| true)
            .await
            .expect("another name, or none");
    }
    // The old worker counts as dead if its process is gone, its row is closed, or its last heartbeat is old.
    jobs::open_worker(store, &identity(Some("attic"), "here"), |_| false)
        .await
        .expect("the first is gone");
    let second = identity(Some("cellar"), "elsewhere");
    world.clock.advance(31_000);
    jobs::open_worker(store, &second, |_| true)
        .await
        .expect("silent for long");
    jobs::close_worker(store, &second.id).await.expect("closes");
    jobs::open_worker(store, &identity(Some("cellar"), "here"), |_| true)
        .await
        .expect("closed");
}

#[tokio::test]
async fn due_jobs_are_round_robin_and_report_the_next_due_time() {
    let world = World::new().await;
    let store = &world.context.store;
    let mut first = String::new();
    for number in 0..200 {
        let id = enqueue(store, Kind::SyncInbox, "busy", START - 1_000 + number).await;
        if number == 0 {
            first = id;
        }
    }
    let publish = enqueue(store, Kind::Publish, "quiet", START).await;
    enqueue(store, Kind::SyncInbox, "quiet", START).await;
    enqueue(store, Kind::Publish, "busy", START + 700).await;
    let due = jobs::due(store, &Kind::all()).await.expect("reads");
    let of = |account: &str| {
        due.candidates
            .iter()
            .filter(|found| found.account == account)
            .count()
    };
    assert_eq!(
        (of("busy"), of("quiet")),
        (127, 2),
        "the younger one of the quiet account is among the 128"
    );
    assert_eq!((due.next, &due.more[..]), (Some(700), &[Kind::SyncInbox][..]));

    let publishing = jobs::due(store, &[Kind::Publish]).await.expect("reads");
    let ids: Vec<_> = publishing
        .candidates
        .iter()
        .map(|found| found.id.as_str())
        .collect();
    assert_eq!(ids, [publish.as_str()]);

    let claimed = jobs::claim(store, &first, "worker", 500).await.expect("claims");
    assert!(claimed.is_some());
    let due = jobs::due(store, &[Kind::SyncInbox]).await.expect("reads");
    assert!(due.candidates.iter().all(|found| found.id != first));
    assert_eq!(due.next, Some(500), "its lease runs out then");
    world.clock.advance(500);
    let due = jobs::due(store, &[Kind::SyncInbox]).await.expect("reads");
    assert!(due.candidates.iter().any(|found| found.id == first));
}

#[tokio::test]
async fn many_older_jobs_do_not_hide_another_kind() {
    let world = World::new().await;
    let store = &world.context.store;
    for number in 0..700 {
        enqueue(
            store,
            Kind::SyncInbox,
            &format!("account {number}"),
            START - 1_000,
        )
        .await;
    }
    let publish = enqueue(store, Kind::Publish, "late", START).await;
    let due = jobs::due(store, &Kind::all()).await.expect("reads");
    assert!(due.candidates.iter().any(|found| found.id == publish));
    assert_eq!(due.candidates.len(), 129);
}

#[tokio::test]
async fn deadlocked_transactions_are_retried() {
    let server = Postgres::start().await.expect("starts");
    let store = open(&server.url()).await;
    let meet = Arc::new(Barrier::new(2));
    let runs = Arc::new(AtomicUsize::new(0));
    let locks = |first: i64, second: i64| {
        let (meet, runs) = (Arc::clone(&meet), Arc::clone(&runs));
        store.write(move |tx| {
            let (meet, runs) = (Arc::clone(&meet), Arc::clone(&runs));
            async move {
                let lock = async |number| {
                    let sql = format!("SELECT pg_advisory_xact_lock({number})");
                    tx.execute_unprepared(&sql).await
                };
                lock(first).await?;
                // Both transactions take their first lock once, which causes the deadlock.
                if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                    meet.wait().await;
                }
                lock(second).await?;
                Ok(())
            }
            .boxed()
        })
    };
    let (one, other) = tokio::join!(locks(1, 2), locks(2, 1));
    one.expect("is committed");
    other.expect("is committed");
    assert_eq!(runs.load(Ordering::SeqCst), 3, "one of them ran twice");
    server.stop().await.expect("ends");
}
