//! The end of a process: interruption and drain.

use std::time::Duration;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The maximum duration of a drain.
const DRAIN: Duration = Duration::from_secs(9);

/// Waits for Ctrl-C or SIGTERM.
pub async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// A part of the process that runs until the drain.
pub type Part = JoinHandle<Result<()>>;

/// Runs the parts until one of them ends or the process is interrupted. Then drains the others and awaits `afterwards`.
pub async fn run(
    parts: Vec<(&'static str, Part)>,
    drain: CancellationToken,
    afterwards: impl Future<Output = ()>,
) -> Result<()> {
    let (names, mut parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let ended = tokio::select! {
        result = interrupted() => result.map(|()| "interrupted".to_owned()),
        (result, at, _) = futures::future::select_all(parts.iter_mut()) => {
            result?.map(|()| format!("the {} ended", names[at]))
        }
    };
    drain.cancel();
    println!("draining");
    let rest = async {
        for part in parts.iter_mut().filter(|part| !part.is_finished()) {
            part.await??;
        }
        afterwards.await;
        Ok::<(), anyhow::Error>(())
    };
    match tokio::time::timeout(DRAIN, rest).await {
        Ok(drained) => drained?,
        Err(_) => {
            tracing::warn!("some work did not end within the drain timeout; it continues at the next start")
        }
    }
    println!("ended: {}", ended?);
    Ok(())
}
