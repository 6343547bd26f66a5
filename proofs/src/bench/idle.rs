//! What a watcher costs while nothing happens: the server's memory for ten thousand of them, over a hundred connections.

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::{Duration, sleep};
use vintedbot_sdk::v1::WatchRequest;

use super::fixture;
use super::process::resident_kib;
use super::table::Row;
use crate::instance::Instance;

const CONNECTIONS: usize = 100;
const WATCHERS_EACH: usize = 100;
const BAR_KIB: f64 = 20.0;
/// Until what opening them took is given back.
const SETTLES: Duration = Duration::from_secs(2);

pub async fn measure(instance: &Instance) -> Result<Vec<Row>> {
    let pid = instance.pid().context("it runs")?;
    let before = resident_kib(pid)?;
    let mut watches = Vec::with_capacity(CONNECTIONS * WATCHERS_EACH);
    for _ in 0..CONNECTIONS {
        let client = fixture::client(instance).await?;
        let opening: FuturesUnordered<_> = (0..WATCHERS_EACH)
            .map(|_| {
                let mut watch = client.events().watch(WatchRequest::default());
                async move {
                    // The first message says that it is there.
                    watch.try_next().await?;
                    Ok::<_, anyhow::Error>(watch)
                }
            })
            .collect();
        watches.extend(opening.try_collect::<Vec<_>>().await?);
    }
    sleep(SETTLES).await;
    let after = resident_kib(pid)?;
    let each = after.saturating_sub(before) as f64 / watches.len() as f64;
    Ok(vec![Row {
        what: format!(
            "memory of an idle watcher, {} over {CONNECTIONS} connections",
            watches.len()
        ),
        measured: format!("{each:.1} KiB"),
        yardstick: format!("{:.1} MiB before them", before as f64 / 1024.0),
        ratio: String::new(),
        bar: format!("{BAR_KIB} KiB"),
        is_met: each <= BAR_KIB,
    }])
}
