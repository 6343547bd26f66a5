//! Measures the server's memory for ten thousand idle watchers, over a hundred connections and with one connection
//! each. The yardstick is the same number of open streams of a bare gRPC server.

use std::path::Path;

use anyhow::{Context as _, Result};
use tokio::time::{Duration, sleep};
use tonic::transport::Endpoint;

use super::echo::Bare;
use super::load::{self, Target};
use super::process::{open_files, resident_kib};
use super::table::Row;
use super::watchers::Watchers;
use crate::instance::Instance;

/// The method that opens a watch.
pub const WATCH: &str = "/vintedbot.v1.EventService/Watch";
const BARE: &str = "/bench.Echo/stream/0";
const WATCHERS: usize = 10_000;
/// The number of open files of a process, without the connections of watchers.
const OTHER_FILES: u64 = 200;
/// The time after which the memory for opening the streams is released.
const SETTLES: Duration = Duration::from_secs(3);

/// The limit for one watcher.
enum Bar {
    Kib(f64),
    Times(f64),
}

const CASES: [(usize, Bar); 2] = [(100, Bar::Kib(20.0)), (WATCHERS, Bar::Times(1.5))];

/// Restarts the instance for each case, because memory that an earlier case released would distort the result. Leaves
/// the instance running.
pub async fn measure(instance: &mut Instance, folder: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (connections, bar) in CASES {
        let each = WATCHERS / connections;
        let how = if each == 1 {
            "with a connection each".to_owned()
        } else {
            format!("over {connections} connections")
        };
        let what = format!("memory of an idle watcher, {WATCHERS} {how}");
        let needed = u64::try_from(connections)? + OTHER_FILES;
        if open_files() < needed {
            rows.push(Row {
                what,
                measured: format!("not measured: only {} files may be open", open_files()),
                yardstick: format!("{needed} are needed"),
                ratio: String::new(),
                bar: bar.to_string(),
                is_met: false,
            });
            continue;
        }
        instance.stop().await?;
        instance.start().await?;
        let target = Target::of(instance)?;
        let channel = Endpoint::from_shared(target.url.clone())?.connect().await?;
        let (first, _) = load::stream(channel, &target.authorization, WATCH.parse()?).await?;
        let ours = kib_each(&target, WATCH, connections).await?;
        let mut bare = Bare::start(&first, &target, folder).await?;
        let beside = kib_each(&bare.target, BARE, connections).await?;
        bare.child.kill().await?;
        let ratio = ours / beside;
        rows.push(Row {
            what,
            measured: format!("{ours:.1} KiB"),
            yardstick: format!("bare gRPC {beside:.1} KiB"),
            ratio: format!("{ratio:.2}x"),
            bar: bar.to_string(),
            is_met: match bar {
                Bar::Kib(most) => ours <= most,
                Bar::Times(most) => ratio <= most,
            },
        });
    }
    Ok(rows)
}

/// Returns the growth of a server's memory for each stream.
async fn kib_each(target: &Target, path: &str, connections: usize) -> Result<f64> {
    // Opens one stream first, so that one-time allocations are not counted.
    drop(Watchers::start(target, path, 1, 1, 0).await?);
    sleep(SETTLES).await;
    let before = resident_kib(target.pid)?;
    let watchers = Watchers::start(target, path, connections, WATCHERS / connections, 0)
        .await
        .context("cannot open the streams")?;
    sleep(SETTLES).await;
    let grown = resident_kib(target.pid)?.saturating_sub(before);
    drop(watchers);
    Ok(grown as f64 / WATCHERS as f64)
}

impl std::fmt::Display for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kib(most) => write!(f, "{most:.0} KiB"),
            Self::Times(most) => write!(f, "{most}x"),
        }
    }
}
