//! Databases that are older or newer than the program, or whose migration was interrupted.

use std::sync::Arc;

use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use vintedbot_domain::ids::SystemIds;
use vintedbot_domain::instance;
use vintedbot_domain::store::{self, Store};
use vintedbot_migrations::{Migrator, names, run_locked};

use crate::postgres::Postgres;
use crate::support::TestClock;

/// Runs the test on a new database of each engine.
async fn on_both(scenario: impl AsyncFn(Store)) {
    let folder = TempDir::new().expect("a folder");
    let server = Postgres::start().await.expect("a server");
    let file = format!("sqlite://{}", folder.path().join("a.sqlite").display());
    for url in [file, server.url()] {
        let store = store::connect(&url, Arc::new(TestClock::default()), Arc::new(SystemIds)).await;
        scenario(store.expect("opens")).await;
    }
    server.stop().await.expect("stops");
}

async fn run(store: &Store, sql: &str) {
    store.writer().execute_unprepared(sql).await.expect("runs");
}

async fn migrate(store: &Store) -> Result<(), String> {
    run_locked(store.writer())
        .await
        .map_err(|error| error.to_string())
}

async fn start(store: &Store, program: &str) -> Result<instance::Started, String> {
    let folder = TempDir::new().expect("a folder");
    let started = instance::start(store, folder.path(), program, "0.1.0").await;
    started.map_err(|error| error.to_string())
}

#[tokio::test]
async fn older_database_is_migrated_at_start() {
    on_both(async |store| {
        use vintedbot_migrations::MigratorTrait as _;
        Migrator::up(store.writer(), Some(3))
            .await
            .expect("three of them");
        run(
            &store,
            "INSERT INTO schedules (id, interval_ms, enabled, next_run) VALUES ('retention', 1, FALSE, 7)",
        )
        .await;
        migrate(&store).await.expect("the rest");
        start(&store, "0.1.0").await.expect("starts");
        let schedules = vintedbot_domain::jobs::list_schedules(&store)
            .await
            .expect("schedules");
        let [prune] = &schedules[..] else {
            panic!("{schedules:?}")
        };
        assert_eq!(
            (prune.id.as_str(), prune.enabled),
            ("prune", false),
            "a person had switched it off"
        );
        assert_eq!(prune.daily_at.as_deref(), Some("02:00"));
    })
    .await;
}

#[tokio::test]
async fn newer_database_is_used_only_if_it_allows_the_version() {
    on_both(async |store| {
        migrate(&store).await.expect("migrates");
        start(&store, "0.1.0").await.expect("starts");
        run(
            &store,
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_future', 0)",
        )
        .await;
        migrate(&store).await.expect("leaves the database unchanged");
        run(&store, "UPDATE instance SET oldest_program = '0.9.0'").await;
        let refused = start(&store, "0.1.0").await.expect_err("is refused");
        assert!(refused.contains("needs vintedbot 0.9.0 or newer"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn database_with_foreign_migrations_is_refused() {
    on_both(async |store| {
        migrate(&store).await.expect("migrates");
        let last = names().pop().expect("there are some");
        run(
            &store,
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_future', 0)",
        )
        .await;
        run(
            &store,
            &format!("DELETE FROM seaql_migrations WHERE version = '{last}'"),
        )
        .await;
        let refused = migrate(&store).await.expect_err("is refused");
        assert!(
            refused.contains("m20991231_future") && refused.contains(&last),
            "{refused}"
        );
    })
    .await;
}

#[tokio::test]
async fn failed_migration_rolls_back_and_can_be_repeated() {
    on_both(async |store| {
        // This table collides with the last table of its migration. The statements before it succeed first.
        run(&store, "CREATE TABLE templates (id TEXT)").await;
        let failed = migrate(&store).await.expect_err("is in the way");
        assert!(
            failed.contains("m20261126_inbox failed") && failed.contains("run again"),
            "{failed}"
        );
        let half = store.reader().execute_unprepared("SELECT 1 FROM people").await;
        assert!(half.is_err(), "a table of half a migration is there");
        run(&store, "DROP TABLE templates").await;
        migrate(&store).await.expect("is mended");
        start(&store, "0.1.0").await.expect("starts");
    })
    .await;
}
