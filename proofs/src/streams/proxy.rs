//! A TCP proxy that cuts its connection on request, at any byte of a frame.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

/// The number of bytes from the server after which a stream counts as established; more than the connection setup, and
/// less than the setup with the first message.
const ESTABLISHED: u64 = 200;
/// The value of `left` that prevents a cut.
const NEVER: i64 = i64::MAX;

/// The proxy between one watcher and the server.
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    _task: AbortOnDropHandle<()>,
}

/// The newest connection.
#[derive(Default)]
struct Line {
    /// The number of bytes that the server has sent over it.
    received: AtomicU64,
    /// The number of bytes from the server that still pass.
    left: AtomicI64,
    is_open: AtomicBool,
    /// Wakes the forwarding task for a cut.
    wake: Notify,
    /// The number of cut connections.
    cuts: AtomicU64,
    /// The number of cuts in the middle of a frame of the server.
    cuts_within_frames: AtomicU64,
}

/// The position of the server's side of a connection in its frames. A frame has a header of nine bytes. The first three
/// bytes contain the length of the rest (RFC 9113, 4.1).
#[derive(Default)]
struct Frames {
    head: Vec<u8>,
    left: usize,
}

impl Frames {
    const HEAD: usize = 9;

    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let (head, rest) = bytes.split_at(bytes.len().min(Self::HEAD - self.head.len()));
            self.head.extend_from_slice(head);
            bytes = rest;
            if let [a, b, c, _, _, _, _, _, _] = *self.head.as_slice() {
                self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.head.clear();
            }
        }
    }

    fn is_within_one(&self) -> bool {
        self.left > 0 || !self.head.is_empty()
    }
}

impl Proxy {
    /// Listens, and forwards to the server at `url`.
    pub async fn start(url: &str) -> Result<Self> {
        let server: SocketAddr = url.trim_start_matches("http://").parse()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let line = Arc::new(Line::default());
        let shared = Arc::clone(&line);
        let task = tokio::spawn(async move {
            let mut newest = None;
            while let Ok((client, _)) = listener.accept().await {
                // The previous connection is closed, so that there is only one.
                drop(newest.take());
                let line = Arc::clone(&shared);
                newest = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                    line.received.store(0, Ordering::SeqCst);
                    line.left.store(NEVER, Ordering::SeqCst);
                    line.is_open.store(true, Ordering::SeqCst);
                    let _ = forward(client, server, &line).await;
                    line.is_open.store(false, Ordering::SeqCst);
                })));
            }
        });
        Ok(Self {
            address,
            line,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Returns the URL for the watcher.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the number of cuts in the middle of a frame.
    pub fn cuts_within_frames(&self) -> u64 {
        self.line.cuts_within_frames.load(Ordering::SeqCst)
    }

    /// Returns whether an established stream is open.
    pub fn is_established(&self) -> bool {
        self.line.is_open.load(Ordering::SeqCst) && self.line.received.load(Ordering::SeqCst) > ESTABLISHED
    }

    /// Waits for an established stream. Cuts it after `after_bytes` more bytes from the server, or after 100 ms without
    /// them. Returns false if the stream ends before the cut.
    pub async fn cut(&self, after_bytes: i64, limit: Duration) -> Result<bool> {
        let established = async {
            while !self.is_established() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(limit, established)
            .await
            .context("a watcher did not come back in time")?;
        let before = self.line.cuts.load(Ordering::SeqCst);
        self.line.left.store(after_bytes, Ordering::SeqCst);
        self.line.wake.notify_one();
        let cut = async {
            while self.line.is_open.load(Ordering::SeqCst) && self.line.cuts.load(Ordering::SeqCst) == before
            {
                sleep(Duration::from_millis(1)).await;
            }
        };
        // A quiet stream is cut between two frames.
        if timeout(Duration::from_millis(100), cut).await.is_err() {
            self.line.left.store(0, Ordering::SeqCst);
            self.line.wake.notify_one();
            while self.line.is_open.load(Ordering::SeqCst) && self.line.cuts.load(Ordering::SeqCst) == before
            {
                sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(self.line.cuts.load(Ordering::SeqCst) > before)
    }
}

async fn forward(client: TcpStream, server: SocketAddr, line: &Line) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
    let down = async {
        let mut buffer = vec![0; 4_096];
        let mut frames = Frames::default();
        loop {
            if line.left.load(Ordering::SeqCst) <= 0 {
                let is_within = u64::from(frames.is_within_one());
                line.cuts_within_frames.fetch_add(is_within, Ordering::SeqCst);
                line.cuts.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            let read = tokio::select! {
                read = from_server.read(&mut buffer) => read?,
                () = line.wake.notified() => continue,
            };
            if read == 0 {
                return Ok(());
            }
            let left = line.left.load(Ordering::SeqCst);
            let passes = usize::try_from(left.max(0)).unwrap_or(usize::MAX).min(read);
            to_client.write_all(&buffer[..passes]).await?;
            frames.pass(&buffer[..passes]);
            line.received.fetch_add(passes as u64, Ordering::SeqCst);
            if left != NEVER {
                line.left.fetch_sub(read as i64, Ordering::SeqCst);
            }
        }
    };
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_end_is_found_in_any_chunking() {
        let mut bytes = vec![0, 0, 3, 0, 0, 0, 0, 0, 1, 7, 7, 7];
        bytes.extend([0, 0, 0, 4, 1, 0, 0, 0, 0]);
        bytes.extend([0, 1, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([7; 256]);
        for piece in [1, 5, 9, 4_096] {
            let mut frames = Frames::default();
            let mut ends = Vec::new();
            for (number, part) in bytes.chunks(piece).enumerate() {
                frames.pass(part);
                if !frames.is_within_one() {
                    ends.push(number * piece + part.len());
                }
            }
            let expected = [12, 21, 286];
            assert!(ends.iter().all(|end| expected.contains(end)), "{piece}: {ends:?}");
            assert_eq!(ends.last(), Some(&286), "{piece}");
            assert!(piece > 1 || ends == expected);
        }
    }
}
