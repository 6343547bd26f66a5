//! Row-level security of PostgreSQL: the rows that a call sees and writes, and the database users that it needs.

use std::sync::Arc;

use futures::FutureExt as _;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use vintedbot_domain::clock::SystemClock;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::store::{self, Store, of_all_workspaces, within};

use crate::postgres::Postgres;
use crate::support::World;

/// Every workspace has one event head.
const COUNT: &str = "SELECT COUNT(*) AS count FROM event_heads";

async fn open(url: &str) -> Store {
    let store = store::connect(url, Arc::new(SystemClock), Arc::new(SystemIds)).await;
    store.expect("opens")
}

/// Creates a database whose owner is no superuser. Returns the owner's URL.
async fn database(server: &Postgres) -> String {
    let store = open(&server.url()).await;
    for statement in ["CREATE ROLE tenant LOGIN", "CREATE DATABASE tenant OWNER tenant"] {
        let created = store.writer().execute_unprepared(statement).await;
        created.expect("is created");
    }
    let url = server.url().replace("//vintedbot@", "//tenant@");
    url.replace("/postgres", "/tenant")
}

async fn count(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let statement = Statement::from_string(DbBackend::Postgres, COUNT);
    let row = connection.query_one_raw(statement).await?;
    row.expect("a row").try_get("", "count")
}

async fn refusal(store: Store) -> String {
    let refused = store.with_row_level_security().await.err();
    refused.expect("is refused").to_string()
}

#[tokio::test]
async fn call_reads_and_writes_only_rows_of_its_workspace() {
    let server = Postgres::own().await.expect("starts");
    let world = World::on(&database(&server).await).await;
    let (own, other) = (world.caller.workspace_id.clone(), SystemIds.id());
    let writer = world.context.store.writer();
    for statement in [
        format!("INSERT INTO workspaces (id, name, create_time) VALUES ('{other}', 'other', 1)"),
        format!("INSERT INTO event_heads (workspace_id, sequence, floor) VALUES ('{other}', 0, 0)"),
    ] {
        writer.execute_unprepared(&statement).await.expect("is written");
    }
    let store = world.context.store.clone().with_row_level_security().await;
    let store = store.expect("is enabled");
    // A later start finds protected tables.
    let store = store.with_row_level_security().await.expect("is enabled");

    assert_eq!(count(store.reader()).await, Ok(2));
    assert_eq!(within(&own, count(store.reader())).await, Ok(1));
    assert_eq!(within(&SystemIds.id(), count(store.reader())).await, Ok(0));

    let everywhere = of_all_workspaces(count(store.reader()));
    assert_eq!(within(&own, everywhere).await, Ok(2));
    let counted = store.write(|tx| {
        async move {
            let everywhere = tx.of_all_workspaces(async { Ok(count(tx).await?) }).await?;
            Ok((everywhere, count(tx).await?))
        }
        .boxed()
    });
    assert_eq!(within(&own, counted).await.expect("is counted"), (2, 1));

    let write = |statement: String| {
        store.write(move |tx| {
            let statement = statement.clone();
            async move { Ok(tx.execute_unprepared(&statement).await?.rows_affected()) }.boxed()
        })
    };
    let updated = within(&own, write("UPDATE event_heads SET floor = 0".to_owned()));
    assert_eq!(updated.await.expect("is updated"), 1);
    let foreign = "INSERT INTO workspaces (id, name, create_time) VALUES ('foreign', 'foreign', 1)";
    within(&own, write(foreign.to_owned()))
        .await
        .expect_err("the policy refuses the row");
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn row_level_security_is_refused_for_a_superuser() {
    let server = Postgres::start().await.expect("starts");
    let refusal = refusal(open(&server.url()).await).await;
    assert!(refusal.contains("superuser"), "{refusal}");
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn row_level_security_is_refused_on_sqlite() {
    let refusal = refusal(World::new().await.context.store).await;
    assert!(refusal.contains("requires PostgreSQL"), "{refusal}");
}
