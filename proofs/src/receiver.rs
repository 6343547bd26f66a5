//! A receiver of webhooks that takes everything, and writes it down before it answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// One request as it came.
pub struct Arrived {
    pub path: String,
    /// The header `webhook-id`.
    pub id: String,
    pub body: Value,
    pub at: Instant,
}

impl Arrived {
    /// The event's place in the log; 0 for a test.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.body["data"]["sequence"].as_i64().unwrap_or_default()
    }
}

/// Listens until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Listens on this machine.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let arrived = Arc::<Mutex<Vec<Arrived>>>::default();
        let log = Arc::clone(&arrived);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move { drop(take(stream, &log).await) });
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
}

/// One connection: request after request.
async fn take(mut stream: TcpStream, log: &Mutex<Vec<Arrived>>) -> Result<()> {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            ensure!(stream.read_buf(&mut bytes).await? > 0, "the line was closed");
        };
        let head = String::from_utf8(bytes[..end].to_vec())?;
        let path = head.split(' ').nth(1).context("a path")?.to_owned();
        let header = |name: &str| {
            let lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
            let mut found = lines.filter(|(one, _)| one.eq_ignore_ascii_case(name));
            found
                .next()
                .map(|(_, value)| value.to_owned())
                .unwrap_or_default()
        };
        let length: usize = header("content-length").parse()?;
        while bytes.len() < end + 4 + length {
            ensure!(stream.read_buf(&mut bytes).await? > 0, "the line was cut");
        }
        let body: Value = serde_json::from_slice(&bytes[end + 4..end + 4 + length])?;
        bytes.drain(..end + 4 + length);
        log.lock().unwrap_or_else(PoisonError::into_inner).push(Arrived {
            path,
            id: header("webhook-id"),
            body,
            at: Instant::now(),
        });
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
            .await?;
    }
}
