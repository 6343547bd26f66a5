//! Many sign-ins at a time. The hash of a password takes 19 MiB of memory and 20 ms of a processor, so that sign-ins
//! without a limit would take the memory and delay all other callers.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vintedbot_sdk::Client;
use vintedbot_sdk::v1::GetMeRequest;
use vintedbot_sdk::v1::auth_service_client::AuthServiceClient;

use super::Measured;
use super::stage::{Stage, connect, right_request, sign_in};
use crate::bench::process::{peak_kib, reset_peak, resident_kib};
use crate::bench::table::{percentile, time};

const SIGN_INS: usize = 200;
/// The connections that share the sign-ins.
const CONNECTIONS: usize = 4;
const RISE_BAR_KIB: u64 = 60 * 1024;
/// A debug build is five times as large, and the pages of the program count too.
const RISE_BAR_DEBUG_KIB: u64 = 120 * 1024;
const P99_BAR: Duration = Duration::from_millis(50);
/// The pause of the honest caller between two calls.
const PAUSE: Duration = Duration::from_millis(5);

/// Signs in with all calls at a time, while an honest caller uses its own connection.
pub async fn measure(stage: &Stage, judges_time: bool) -> Result<Measured> {
    let (url, pid) = (stage.url(), stage.pid()?);
    let before = resident_kib(pid)?;
    reset_peak(pid)?;
    let tokens = sign_in(&url).await?;
    let honest = connect(&url, Some(&tokens.access_token)).await?;
    let ends = CancellationToken::new();
    let calling = tokio::spawn(call_until(honest, ends.clone()));
    let clients = try_join_all((0..CONNECTIONS).map(|_| connect(&url, None))).await?;
    let began = Instant::now();
    let sign_ins = (0..SIGN_INS).map(|number| {
        let mut client = AuthServiceClient::new(clients[number % CONNECTIONS].channel());
        async move { client.sign_in(right_request()).await }
    });
    try_join_all(sign_ins).await.context("a sign-in was refused")?;
    let took = began.elapsed();
    ends.cancel();
    let mut times = calling.await??;
    times.sort_unstable();
    let p99 = percentile(&times, 0.99);
    let bar = if judges_time {
        RISE_BAR_KIB
    } else {
        RISE_BAR_DEBUG_KIB
    };
    let rise = peak_kib(pid)?.saturating_sub(before);
    Ok(Measured {
        line: format!(
            "{SIGN_INS} sign-ins at a time: {}, memory +{} MiB (bar {} MiB), p99 of {} honest calls {} (bar {})",
            time(took),
            rise.div_ceil(1024),
            bar / 1024,
            times.len(),
            time(p99),
            time(P99_BAR),
        ),
        is_good: rise <= bar && (!judges_time || p99 <= P99_BAR),
    })
}

/// Acts as the honest caller. Returns the durations of the calls.
async fn call_until(client: Client, ends: CancellationToken) -> Result<Vec<Duration>> {
    let mut client = AuthServiceClient::new(client.channel());
    let mut times = Vec::new();
    while !ends.is_cancelled() {
        let began = Instant::now();
        let answered = client.get_me(GetMeRequest {}).await;
        answered.context("the honest caller is refused")?;
        times.push(began.elapsed());
        sleep(PAUSE).await;
    }
    Ok(times)
}
