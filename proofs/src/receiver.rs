//! A webhook receiver that records each request before it answers. It implements only the necessary part of HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

/// One received request.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub path: String,
    /// The headers, by lower-case name.
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub at: Instant,
}

impl Arrived {
    /// Returns a header's value; empty if the header is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Returns the header `webhook-id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Returns the body as JSON; null if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Returns the event's sequence in the log; 0 for a test event.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.json()["data"]["sequence"].as_i64().unwrap_or_default()
    }
}

/// The reaction to a recorded request.
pub enum Part {
    /// Sends this answer, byte for byte.
    Answer(String),
    /// Sends no answer.
    Silence,
    /// Sends the first text, then repeats the second one without end.
    Endless(&'static str, &'static str),
}

impl Part {
    /// Returns an answer with a status such as `410 Gone`. Each header ends with a line break.
    #[must_use]
    pub fn answer(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Answer(format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ))
    }
}

/// A receiver. It listens until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Listens on this machine and accepts every request.
    ///
    /// # Errors
    ///
    /// Fails if no port is free.
    pub async fn open() -> Result<Self> {
        Self::open_playing(|_| Part::answer("204 No Content", "", "")).await
    }

    /// Listens on this machine. `part` selects the reaction for each path.
    ///
    /// # Errors
    ///
    /// Fails if no port is free.
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

    /// Returns all received requests, in order.
    pub fn arrived(&self) -> MutexGuard<'_, Vec<Arrived>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the received requests for a path, in order.
    #[must_use]
    pub fn on(&self, path: &str) -> Vec<Arrived> {
        let arrived = self.arrived();
        arrived.iter().filter(|one| one.path == path).cloned().collect()
    }
}

/// Handles one connection: request after request.
async fn take(mut stream: TcpStream, log: &Mutex<Vec<Arrived>>, part: fn(&str) -> Part) -> Result<()> {
    let mut bytes = Vec::new();
    loop {
        let arrived = read(&mut stream, &mut bytes).await?;
        let part = part(&arrived.path);
        log.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
        match part {
            Part::Answer(text) => stream.write_all(text.as_bytes()).await?,
            // Waits until the client disconnects.
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

/// Reads the next request. Bytes of the following request stay in `bytes`.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<Arrived> {
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        ensure!(stream.read_buf(bytes).await? > 0, "the connection was closed");
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
        ensure!(
            stream.read_buf(bytes).await? > 0,
            "the connection was closed within a body"
        );
    }
    let body = String::from_utf8(bytes[end + 4..end + 4 + length].to_vec())?;
    bytes.drain(..end + 4 + length);
    Ok(Arrived {
        path: first.context("the request has no path")?.to_owned(),
        headers,
        body,
        at: Instant::now(),
    })
}
