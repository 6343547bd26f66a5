//! What a watcher costs while nothing happens: the server's memory for ten thousand of them, over a hundred connections and with
//! one each, beside as many streams of a bare gRPC server that stay open as well.

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

/// The method that watches.
pub const WATCH: &str = "/vintedbot.v1.EventService/Watch";
const BARE: &str = "/bench.Echo/stream/0";
const WATCHERS: usize = 10_000;
/// Files of a process that are no connections of watchers.
const OTHER_FILES: u64 = 200;
/// Until what opening them took is given back.
const SETTLES: Duration = Duration::from_secs(3);

/// How many connections share the watchers, and what one may cost.
enum Bar {
    Kib(f64),
    Times(f64),
}

const CASES: [(usize, Bar); 2] = [(100, Bar::Kib(20.0)), (WATCHERS, Bar::Times(1.5))];

/// Starts the instance anew for each case: memory that another one gave back would be taken for nothing. Leaves it running.
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
                measured: format!("not measured: {} files may be open here", open_files()),
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

/// What a server's memory grows by for each stream.
async fn kib_each(target: &Target, path: &str, connections: usize) -> Result<f64> {
    // One by itself, so that what the first of all needs is not theirs.
    drop(Watchers::start(target, path, 1, 1, 0).await?);
    sleep(SETTLES).await;
    let before = resident_kib(target.pid)?;
    let watchers = Watchers::start(target, path, connections, WATCHERS / connections, 0)
        .await
        .context("opening them")?;
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
