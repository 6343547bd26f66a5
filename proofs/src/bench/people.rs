//! Measures sign-ins and the cost of authentication. The yardsticks are calls that need no credential: a health check
//! by the same server, and a bare gRPC server that answers with the same bytes as `GetMe`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use prost::Message as _;
use tonic::codegen::http::uri::PathAndQuery;
use vintedbot_sdk::v1::GetMeRequest;

use super::echo::Bare;
use super::load::{self, Calls, Outcome, Target};
use super::table::{Row, time};
use crate::people::stage::{Stage, right_request, sign_in};

const IN_FLIGHT: usize = 100;
const SIGN_INS_IN_FLIGHT: usize = 8;
const SIGN_INS_LAST: Duration = Duration::from_secs(3);
/// The calls are measured in alternation.
const ROUNDS: usize = 3;
const TURN: Duration = Duration::from_millis(1_500);
const WARM_UP: Duration = Duration::from_millis(500);

pub async fn measure(folder: &Path) -> Result<Vec<Row>> {
    let folder = folder.join("people");
    let stage = Stage::set(&folder, "").await?;
    let token = Target::of(&stage.instance)?;
    let access_token = sign_in(&stage.url()).await?.access_token;
    let session = Target {
        authorization: format!("Bearer {access_token}").parse()?,
        ..token.clone()
    };
    let get_me = calls("/vintedbot.v1.AuthService/GetMe", GetMeRequest {}.encode_to_vec());
    let health = calls("/grpc.health.v1.Health/Check", Vec::new());
    let answer = load::once(&session, &get_me).await?;
    let mut echo = Bare::start(&answer, &session, &folder).await?;
    let bare = calls("/bench.Echo/0", Vec::new());
    let all = [
        (&session, &get_me),
        (&token, &get_me),
        (&token, &health),
        (&echo.target, &bare),
    ];
    let mut outcomes = all.map(|_| Outcome::default());
    for (target, calls) in all {
        load::run(target, calls, IN_FLIGHT, WARM_UP).await?;
    }
    for _ in 0..ROUNDS {
        for ((target, calls), outcome) in all.into_iter().zip(&mut outcomes) {
            outcome.extend(load::run(target, calls, IN_FLIGHT, TURN).await?);
        }
    }
    echo.child.kill().await?;
    let sign_ins = calls(
        "/vintedbot.v1.AuthService/SignIn",
        right_request().encode_to_vec(),
    );
    let sign_ins = load::run(&token, &sign_ins, SIGN_INS_IN_FLIGHT, SIGN_INS_LAST).await?;
    stage.strike().await?;
    let mut rows = vec![sign_in_row(&sign_ins)];
    rows.extend(get_me_rows(&outcomes));
    Ok(rows)
}

fn calls(path: &'static str, request: Vec<u8>) -> Arc<Calls> {
    Arc::new(Calls {
        path: PathAndQuery::from_static(path),
        requests: vec![Bytes::from(request)],
    })
}

fn sign_in_row(outcome: &Outcome) -> Row {
    row(
        format!("SignIn: calls per second, processor time, {SIGN_INS_IN_FLIGHT} in flight"),
        format!(
            "{:.0} calls/s, {}",
            outcome.per_second(),
            time(outcome.processor_time_per_call())
        ),
        String::new(),
        String::new(),
    )
}

fn get_me_rows([session, token, health, bare]: &[Outcome; 4]) -> [Row; 2] {
    let cost = Outcome::processor_time_per_call;
    let ratio = |other: &Outcome| cost(session).as_secs_f64() / cost(other).as_secs_f64();
    let latency = |outcome: &Outcome| {
        let [p50, p99] = [0.5, 0.99].map(|part| time(outcome.percentile(part)));
        format!("{:.0} calls/s, p50 {p50}, p99 {p99}", outcome.per_second())
    };
    [
        row(
            format!("GetMe in a session: processor time, {IN_FLIGHT} in flight"),
            time(cost(session)),
            format!(
                "API token {}, health check {}, bare gRPC {}",
                time(cost(token)),
                time(cost(health)),
                time(cost(bare))
            ),
            format!("{:.2}x, {:.2}x, {:.2}x", ratio(token), ratio(health), ratio(bare)),
        ),
        row(
            format!("GetMe in a session: calls per second, latency, {IN_FLIGHT} in flight"),
            latency(session),
            format!("API token {}; health check {}", latency(token), latency(health)),
            String::new(),
        ),
    ]
}

/// Returns a row without a bar.
fn row(what: String, measured: String, yardstick: String, ratio: String) -> Row {
    Row {
        what,
        measured,
        yardstick,
        ratio,
        bar: String::new(),
        is_met: true,
    }
}
