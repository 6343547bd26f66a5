//! Streams of a session that the person ends on another device.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep, timeout};
use vintedbot_sdk::v1::auth_service_client::AuthServiceClient;
use vintedbot_sdk::v1::event_service_client::EventServiceClient;
use vintedbot_sdk::v1::{GetMeRequest, RevokeUserSessionRequest, WatchRequest};

use super::Measured;
use super::context;
use super::stage::{SETTINGS, Stage, connect, sign_in};
use crate::bench::table::time;
use crate::cluster::Cluster;

/// The rule that ends the streams.
pub const RULES: [&str; 1] = ["streams_revoked"];
const STREAMS: u32 = 5;
const ENDS_WITHIN: Duration = Duration::from_secs(1);
/// The pause before a revocation, times the number of the stream. Processes poll, so each revocation comes at another
/// moment between two polls.
const PAUSE: Duration = Duration::from_millis(230);
/// The time after which a stream that does not end is given up.
const PATIENCE: Duration = Duration::from_secs(3);

/// Watches and revokes on one process with SQLite.
pub async fn on_sqlite(stage: &Stage) -> Result<Measured> {
    let slowest = slowest_end(&stage.url(), &stage.url()).await?;
    Ok(measured("SQLite", slowest))
}

/// Watches on one process and revokes on another process of the same PostgreSQL database, without Redis.
pub async fn on_postgres(failpoints: &str) -> Result<Measured> {
    let mut cluster = Cluster::start(false).await?;
    for (name, value) in SETTINGS {
        cluster.set(name, value);
    }
    cluster.set("FAILPOINTS", failpoints);
    cluster.add(2, 0, 0).await?;
    context::add_person_at(&cluster.postgres.url(), cluster.folder()).await?;
    let slowest = slowest_end(&cluster.servers[0].url(), &cluster.servers[1].url()).await?;
    cluster.stop().await?;
    Ok(measured("two processes on PostgreSQL", slowest))
}

fn measured(place: &str, slowest: Duration) -> Measured {
    Measured {
        line: format!(
            "streams of {STREAMS} revoked sessions, {place}: the last ends after {} (bar {})",
            time(slowest),
            time(ENDS_WITHIN)
        ),
        is_good: slowest <= ENDS_WITHIN,
    }
}

/// Opens streams on the server at `watched`, each in its own session, and revokes the sessions on the server at
/// `revoking`. Returns the longest time from a revocation to the end of its stream.
async fn slowest_end(watched: &str, revoking: &str) -> Result<Duration> {
    let own = sign_in(revoking).await?;
    let own = connect(revoking, Some(&own.access_token)).await?;
    let mut own = AuthServiceClient::new(own.channel());
    let mut slowest = Duration::ZERO;
    for number in 0..STREAMS {
        let tokens = sign_in(watched).await?;
        let client = connect(watched, Some(&tokens.access_token)).await?;
        let me = AuthServiceClient::new(client.channel())
            .get_me(GetMeRequest {})
            .await?;
        let session = me.into_inner().session.context("the caller has no session")?;
        let mut stream = EventServiceClient::new(client.channel())
            .watch(WatchRequest::default())
            .await?
            .into_inner();
        let first = stream.message().await?;
        first.context("the stream ended before its first message")?;
        sleep(PAUSE * number).await;
        let began = Instant::now();
        own.revoke_user_session(RevokeUserSessionRequest { id: session.id })
            .await?;
        let ended = async { while let Ok(Some(_)) = stream.message().await {} };
        // A stream that does not end exceeds the bar.
        let _elapsed = timeout(PATIENCE, ended).await;
        slowest = slowest.max(began.elapsed());
    }
    Ok(slowest)
}
