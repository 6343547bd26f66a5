//! Moving an instance from one database to another, with interruptions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::instance;
use vintedbot_domain::listings::ListingInput;
use vintedbot_domain::store::{self, Store};
use vintedbot_domain::transfer::{self, Moved, Places, Progress};

use crate::postgres::Postgres;
use crate::support::{START, TestClock, World};

fn places() -> Places {
    Places {
        from: "sqlite:///here".to_owned(),
        to: "postgres://there".to_owned(),
    }
}

async fn open(url: &str) -> Store {
    let store = store::connect(url, Arc::new(TestClock::default()), Arc::new(SystemIds))
        .await
        .expect("opens");
    vintedbot_migrations::run_locked(store.writer())
        .await
        .expect("migrates");
    store
}

fn sqlite(folder: &TempDir, name: &str) -> String {
    format!("sqlite://{}", folder.path().join(name).display())
}

/// Returns an instance with rows of most kinds and a second workspace.
async fn filled(url: &str) -> World {
    let (world, account) = World::with_account_on(url).await;
    let mut photos = Vec::new();
    for seed in 0..3 {
        photos.push(world.photo(seed).await.id);
    }
    for _ in 0..3 {
        let input = ListingInput {
            title: "Sweat à capuche".to_owned(),
            photo_ids: photos.clone(),
            ..ListingInput::default()
        };
        world.listing(&account, input).await;
    }
    world.stranger().await;
    world
}

async fn start(store: &Store, folder: &TempDir) -> Result<instance::Started, vintedbot_domain::Error> {
    instance::start(store, folder.path(), "0.1.0", "0.1.0").await
}

/// Moves until `after` batches are copied and then stops. Returns the result if the move was complete before.
async fn cut_off(source: &Store, target: &Store, after: usize) -> Option<Moved> {
    let batches = AtomicUsize::new(0);
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let on_progress = move |progress: Progress| {
        let copied = matches!(progress, Progress::Copied { .. });
        if copied && batches.fetch_add(1, Ordering::SeqCst) + 1 == after {
            let _ = sender.send(());
        }
    };
    let places = places();
    tokio::select! {
        biased;
        Some(()) = receiver.recv() => None,
        moved = transfer::run(source, target, &places, &on_progress) => Some(moved.expect("moves")),
    }
}

async fn names(store: &Store) -> BTreeSet<String> {
    let sql = match store.backend() {
        DbBackend::Postgres => "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'",
        _ => "SELECT name FROM sqlite_master WHERE type = 'table'",
    };
    let rows = store
        .reader()
        .query_all_raw(Statement::from_string(store.backend(), sql))
        .await
        .expect("tables");
    let names = rows.iter().map(|row| row.try_get("", "name").expect("a name"));
    names.collect()
}

#[tokio::test]
async fn every_table_is_copied_or_rebuilt() {
    let (server, folder) = (
        Postgres::start().await.expect("a server"),
        TempDir::new().expect("a folder"),
    );
    let (sqlite, postgres) = (
        open(&sqlite(&folder, "a.sqlite")).await,
        open(&server.url()).await,
    );
    let copied = transfer::tables(&sqlite).await.expect("tables");
    assert_eq!(copied, transfer::tables(&postgres).await.expect("tables"));
    for store in [&sqlite, &postgres] {
        let mut left: BTreeSet<_> = names(store).await;
        copied
            .iter()
            .for_each(|table| assert!(left.remove(&table.name), "{}", table.name));
        left.retain(|name| !name.starts_with("search_words") && !name.starts_with("sqlite_"));
        let expected = [
            "move_positions",
            "seaql_migrations",
            "search_documents",
            "search_indexes",
        ];
        assert!(
            left.iter().eq(expected),
            "neither copied nor listed as rebuilt: {left:?}"
        );
    }
    let sequences = "SELECT COUNT(*) AS there FROM pg_sequences WHERE schemaname = 'public'";
    let row = postgres
        .reader()
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sequences))
        .await
        .expect("is read")
        .expect("a row");
    assert_eq!(
        row.try_get::<i64>("", "there").expect("a number"),
        0,
        "sequences would have to be moved too"
    );
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn interrupted_move_resumes_and_retires_the_source() {
    let (server, folder) = (
        Postgres::start().await.expect("a server"),
        TempDir::new().expect("a folder"),
    );
    let world = filled(&sqlite(&folder, "a.sqlite")).await;
    let url = server.url();
    let (source, target) = (world.context.store.clone(), open(&url).await);
    let before = world.events().await;
    let epoch = world.context.log_epoch.clone();
    let mut cuts = 0;
    let moved = loop {
        cuts += 1;
        // Each run gets a little further and stops in another part.
        if let Some(moved) = cut_off(&source, &target, 1 + cuts % 3).await {
            break moved;
        }
        let home = TempDir::new().expect("a folder");
        for half in [&source, &target] {
            let refused = start(half, &home).await.expect_err("is refused").to_string();
            assert!(refused.contains("migrate-store again"), "{refused}");
        }
        assert!(cuts < 200, "it never ends");
    };
    assert!(cuts > 2 && moved == Moved::Now, "{cuts} cuts, {moved:?}");
    let home = TempDir::new().expect("a folder");
    let refused = start(&source, &home).await.expect_err("is refused").to_string();
    assert!(refused.contains("moved to postgres://there"), "{refused}");
    assert_eq!(
        transfer::run(&source, &target, &places(), &|_| ())
            .await
            .expect("again"),
        Moved::Before
    );
    let started = start(&target, &home).await.expect("starts");
    assert!(!started.restored && !started.first_start);
    assert_eq!(started.log_epoch, *epoch, "cursors go on");
    let log = vintedbot_domain::events::read(&target, &world.caller.workspace_id, 0, 1000)
        .await
        .expect("the log");
    assert_eq!(log.events.len(), before.len());
    // Moving back into a file gives the same data, once the instance is stopped.
    let back = open(&sqlite(&folder, "back.sqlite")).await;
    let places = Places {
        from: "postgres://there".to_owned(),
        to: "sqlite:///back".to_owned(),
    };
    let alone = || store::connect_alone(&url, Arc::new(TestClock::default()), Arc::new(SystemIds));
    let refused = alone().await.err().expect("is refused").to_string();
    assert!(refused.contains("in use"), "{refused}");
    target.writer().clone().close().await.expect("closes");
    let target = alone().await.expect("opens");
    let moved = transfer::run(&target, &back, &places, &|_| ()).await;
    assert_eq!(moved.expect("moves"), Moved::Now);
    let started = start(&back, &home).await.expect("starts");
    assert_eq!(started.log_epoch, *epoch, "cursors go on");
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn changed_row_in_the_copy_is_found_and_move_is_aborted() {
    let folder = TempDir::new().expect("a folder");
    let world = filled(&sqlite(&folder, "a.sqlite")).await;
    let (source, target) = (
        world.context.store.clone(),
        open(&sqlite(&folder, "b.sqlite")).await,
    );
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let on_progress = move |progress: Progress| {
        if matches!(progress, Progress::Verified { .. }) {
            let _ = sender.send(());
        }
    };
    let asked = places();
    // Everything is copied when the first table is verified. The move stops there.
    tokio::select! {
        biased;
        Some(()) = receiver.recv() => {}
        moved = transfer::run(&source, &target, &asked, &on_progress) => panic!("{moved:?}"),
    }
    target
        .writer()
        .execute_unprepared(
            "UPDATE photos SET file_name = file_name || 'x' WHERE id = (SELECT MIN(id) FROM photos)",
        )
        .await
        .expect("is changed");
    let differs = transfer::run(&source, &target, &places(), &|_| ()).await;
    let differs = differs.expect_err("is found").to_string();
    assert!(
        differs.contains("photos (3 rows") && differs.contains("--abandon"),
        "{differs}"
    );

    let elsewhere = Places {
        to: "another database".to_owned(),
        ..places()
    };
    let empty = open(&sqlite(&folder, "empty.sqlite")).await;
    let wrong = transfer::abandon(&source, &empty, &elsewhere).await;
    let wrong = wrong.expect_err("it goes elsewhere").to_string();
    assert!(wrong.contains(&places().to), "{wrong}");
    let home = TempDir::new().expect("a folder");
    let still = start(&source, &home).await;
    assert!(still.is_err(), "its copy may be complete");
    transfer::abandon(&source, &target, &places())
        .await
        .expect("is given up");
    let row = start(&source, &home).await.expect("starts again");
    assert!(!row.first_start);
    assert!(
        transfer::abandon(&source, &target, &places()).await.is_err(),
        "there is nothing to give up"
    );
    let moved = transfer::run(&source, &target, &places(), &|_| ()).await;
    assert_eq!(moved.expect("moves"), Moved::Now);
    assert!(
        transfer::abandon(&source, &target, &places()).await.is_err(),
        "it is complete"
    );
    // The retired source is neither a valid target nor a source for another move.
    let third = open(&sqlite(&folder, "c.sqlite")).await;
    let again = transfer::run(&source, &third, &places(), &|_| ()).await;
    assert!(
        again
            .expect_err("is refused")
            .to_string()
            .contains("was moved to")
    );
    let onto = transfer::run(&target, &source, &places(), &|_| ()).await;
    assert!(
        onto.expect_err("is refused")
            .to_string()
            .contains("contains another instance")
    );
}

#[tokio::test]
async fn database_in_use_is_not_opened_exclusively() {
    let folder = TempDir::new().expect("a folder");
    let url = sqlite(&folder, "a.sqlite");
    let world = World::on(&url).await;
    let alone = || store::connect_alone(&url, Arc::new(TestClock::default()), Arc::new(SystemIds));
    let refused = alone().await.err().expect("is refused").to_string();
    assert!(refused.contains("in use by another process"), "{refused}");
    world
        .context
        .store
        .writer()
        .clone()
        .close()
        .await
        .expect("closes");
    world
        .context
        .store
        .reader()
        .clone()
        .close()
        .await
        .expect("closes");
    drop(world);
    let store = alone().await.expect("opens");
    assert_eq!(store.now().await.expect("a time"), START);
}
