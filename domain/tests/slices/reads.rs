//! Reads whose caller is suspended, like a response body whose client does not read.

use std::pin::pin;
use std::time::Duration;

use futures::future::join_all;
use futures::poll;
use vintedbot_domain::events;

use crate::postgres::Postgres;
use crate::support::World;

/// More than the connection pool of either engine holds.
const READS: usize = 16;
/// Less than the time that the pool waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

async fn suspended_reads_leave_the_pool_to_others(world: &World) {
    let (store, workspace_id) = (&world.context.store, world.caller.workspace_id.as_str());
    let mut suspended = pin!(join_all((0..READS).map(|_| events::read(
        store,
        workspace_id,
        0,
        256
    ))));
    // Each read has begun. It is not polled again until the others have answered.
    assert!(poll!(suspended.as_mut()).is_pending());
    for _ in 0..3 {
        let head = tokio::time::timeout(PATIENCE, events::head(store, workspace_id)).await;
        head.expect("a connection is free").expect("a head");
        let ping = tokio::time::timeout(PATIENCE, store.reader().ping()).await;
        ping.expect("a connection is free").expect("the database answers");
    }
    for page in suspended.await {
        page.expect("the read ends when it is polled again");
    }
}

#[tokio::test]
async fn suspended_reads_hold_no_connection_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    suspended_reads_leave_the_pool_to_others(&World::on(&url).await).await;
}

#[tokio::test]
async fn suspended_reads_hold_no_connection_on_postgresql() {
    let server = Postgres::start().await.expect("starts");
    suspended_reads_leave_the_pool_to_others(&World::on(&server.url()).await).await;
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn dropped_reads_free_their_connections() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let world = World::on(&url).await;
    let (store, workspace_id) = (&world.context.store, world.caller.workspace_id.as_str());
    for _ in 0..50 {
        let mut reads = Box::pin(join_all(
            (0..READS).map(|_| events::read(store, workspace_id, 0, 256)),
        ));
        assert!(poll!(reads.as_mut()).is_pending());
    }
    let head = tokio::time::timeout(PATIENCE, events::head(store, workspace_id)).await;
    head.expect("a connection is free").expect("a head");
}
