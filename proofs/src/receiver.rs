//! A receiver of webhooks that writes down what comes before it answers. It speaks just enough HTTP to play every part.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub path: String,
    /// By lower-case name.
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub at: Instant,
}

impl Arrived {
    /// A header's value; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The header `webhook-id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body; null where it is no JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The event's place in the log; 0 for a test.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.json()["data"]["sequence"].as_i64().unwrap_or_default()
    }
}

/// What becomes of a request that was written down.
pub enum Part {
    /// This is the answer, byte for byte.
    Answer(String),
    /// There is none.
    Silence,
    /// It begins with the first, and goes on with the second for ever.
    Endless(&'static str, &'static str),
}

impl Part {
    /// An answer with a status such as `410 Gone`, and headers that each end their line.
    #[must_use]
    pub fn answer(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Answer(format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ))
    }
}

/// Listens until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Listens on this machine, and takes everything.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn open() -> Result<Self> {
        Self::open_playing(|_| Part::answer("204 No Content", "", "")).await
    }

    /// Listens on this machine, and plays on each path the part that it is given for it.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn open_playing(part: fn(&str) -> Part) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let arrived = Arc::<Mutex<Vec<Arrived>>>::default();
        let log = Arc::clone(&arrived);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move { drop(take(stream, &log, part).await) });
            }
        });
        Ok(Self {
            address,
            arrived,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Everything that came, in order.
    pub fn arrived(&self) -> MutexGuard<'_, Vec<Arrived>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came on a path, in order.
    #[must_use]
    pub fn on(&self, path: &str) -> Vec<Arrived> {
        let arrived = self.arrived();
        arrived.iter().filter(|one| one.path == path).cloned().collect()
    }
}

/// One connection: request after request.
async fn take(mut stream: TcpStream, log: &Mutex<Vec<Arrived>>, part: fn(&str) -> Part) -> Result<()> {
    let mut bytes = Vec::new();
    loop {
        let arrived = read(&mut stream, &mut bytes).await?;
        let part = part(&arrived.path);
        log.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
        match part {
            Part::Answer(text) => stream.write_all(text.as_bytes()).await?,
            // Until whoever waits goes away.
            Part::Silence => drop(stream.read_buf(&mut bytes).await?),
            Part::Endless(first, more) => {
                stream.write_all(first.as_bytes()).await?;
                loop {
                    stream.write_all(more.as_bytes()).await?;
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// The next request. What was read of the one behind it stays in `bytes`.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<Arrived> {
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        ensure!(stream.read_buf(bytes).await? > 0, "the line was closed");
    };
    let head = String::from_utf8(bytes[..end].to_vec())?;
    let mut lines = head.split("\r\n");
    let first = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(Ok(0), |(_, value)| value.parse())?;
    while bytes.len() < end + 4 + length {
        ensure!(stream.read_buf(bytes).await? > 0, "the line was cut");
    }
    let body = String::from_utf8(bytes[end + 4..end + 4 + length].to_vec())?;
    bytes.drain(..end + 4 + length);
    Ok(Arrived {
        path: first.context("a path")?.to_owned(),
        headers,
        body,
        at: Instant::now(),
    })
}
