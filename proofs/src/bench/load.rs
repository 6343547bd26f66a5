//! Calls one method with a fixed number of calls in flight and measures the cost for the server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};

use super::echo::Raw;
use super::process::processor_time;
use super::table::percentile;
use crate::instance::Instance;

/// The number of connections that share the calls in flight, if there are enough calls.
const CONNECTIONS: usize = 4;

/// A server to call.
#[derive(Clone)]
pub struct Target {
    pub url: String,
    pub pid: u32,
    /// Sent with each call.
    pub authorization: MetadataValue<Ascii>,
}

impl Target {
    /// Returns the target for a running instance, called with its first token.
    pub fn of(instance: &Instance) -> Result<Self> {
        Self::at(instance.url(), instance.pid(), &instance.token_file())
    }

    /// Returns the target for a server at an address, called with the token in a file.
    pub fn at(url: String, pid: Option<u32>, token_file: &Path) -> Result<Self> {
        let token = std::fs::read_to_string(token_file)?;
        Ok(Self {
            url,
            pid: pid.context("the process does not run")?,
            authorization: format!("Bearer {}", token.trim()).parse()?,
        })
    }
}

/// The calls to make.
pub struct Calls {
    pub path: PathAndQuery,
    /// The encoded requests; each call uses a random one.
    pub requests: Vec<Bytes>,
}

/// The result of a run.
#[derive(Default)]
pub struct Outcome {
    /// The latencies of all calls, sorted.
    pub latencies: Vec<Duration>,
    /// The server's processor time for all calls.
    pub processor_time: Duration,
    /// The duration of the run until the last answer.
    pub elapsed: Duration,
}

impl Outcome {
    /// Returns the server's processor time per call.
    pub fn processor_time_per_call(&self) -> Duration {
        let calls = u32::try_from(self.latencies.len()).unwrap_or(u32::MAX);
        self.processor_time / calls.max(1)
    }

    pub fn percentile(&self, part: f64) -> Duration {
        percentile(&self.latencies, part)
    }

    /// Returns the number of answered calls per second.
    pub fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// Adds the result of another run.
    pub fn extend(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self.processor_time += other.processor_time;
        self.elapsed += other.elapsed;
    }
}

/// Calls for the duration `lasts`. Each caller starts its next call when the previous one is answered.
pub async fn run(target: &Target, calls: &Arc<Calls>, in_flight: usize, lasts: Duration) -> Result<Outcome> {
    let endpoint = Endpoint::from_shared(target.url.clone())?.tcp_nodelay(true);
    let connections = try_join_all((0..CONNECTIONS.min(in_flight)).map(|_| endpoint.connect())).await?;
    let before = processor_time(target.pid)?;
    let began = Instant::now();
    let until = began + lasts;
    let callers = connections
        .iter()
        .cycle()
        .take(in_flight)
        .enumerate()
        .map(|(number, channel)| {
            let caller = Caller {
                channel: channel.clone(),
                authorization: target.authorization.clone(),
                calls: Arc::clone(calls),
                chance: StdRng::seed_from_u64(number as u64),
            };
            tokio::spawn(caller.call_until(until))
        });
    let mut latencies = Vec::new();
    for caller in try_join_all(callers).await? {
        latencies.extend(caller?);
    }
    let elapsed = began.elapsed();
    latencies.sort_unstable();
    Ok(Outcome {
        latencies,
        elapsed,
        processor_time: processor_time(target.pid)? - before,
    })
}

/// Makes one call. Returns its encoded answer.
pub async fn once(target: &Target, calls: &Calls) -> Result<Bytes> {
    let channel = Endpoint::from_shared(target.url.clone())?.connect().await?;
    let request = calls.requests.first().context("there is no request")?;
    call(channel, &target.authorization, calls, request).await
}

/// Opens a stream. Returns it after its first message, with that message.
pub async fn stream(
    channel: Channel,
    authorization: &MetadataValue<Ascii>,
    path: PathAndQuery,
) -> Result<(Bytes, Streaming<Bytes>)> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    // A message without fields requests everything.
    let mut request = Request::new(Bytes::new());
    request
        .metadata_mut()
        .insert("authorization", authorization.clone());
    let mut stream = client.server_streaming(request, path, Raw).await?.into_inner();
    let first = stream
        .message()
        .await?
        .context("a stream ended before its first message")?;
    Ok((first, stream))
}

struct Caller {
    channel: Channel,
    authorization: MetadataValue<Ascii>,
    calls: Arc<Calls>,
    chance: StdRng,
}

impl Caller {
    async fn call_until(mut self, until: Instant) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        loop {
            let start = Instant::now();
            if start >= until {
                return Ok(latencies);
            }
            let request = &self.calls.requests[self.chance.random_range(0..self.calls.requests.len())];
            call(self.channel.clone(), &self.authorization, &self.calls, request).await?;
            latencies.push(start.elapsed());
        }
    }
}

async fn call(
    channel: Channel,
    authorization: &MetadataValue<Ascii>,
    calls: &Calls,
    request: &Bytes,
) -> Result<Bytes> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    let mut request = Request::new(request.clone());
    request
        .metadata_mut()
        .insert("authorization", authorization.clone());
    let answer = client.unary(request, calls.path.clone(), Raw).await?;
    Ok(answer.into_inner())
}
