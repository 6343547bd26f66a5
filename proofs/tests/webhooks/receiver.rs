//! A receiver that plays every part, each on a path of its own. It speaks just enough HTTP to do so, and writes down what
//! arrived.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub path: String,
    /// By lower-case name.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Arrived {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub fn id(&self) -> String {
        self.header("webhook-id").to_owned()
    }
}

/// Listens until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    _task: AbortOnDropHandle<()>,
}

impl Receiver {
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let arrived = Arc::<Mutex<Vec<Arrived>>>::default();
        let log = Arc::clone(&arrived);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let log = Arc::clone(&log);
                tokio::spawn(async move { drop(serve(stream, &log).await) });
            }
        });
        Ok(Self {
            address,
            arrived,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// What arrived on a path.
    pub fn on(&self, path: &str) -> Vec<Arrived> {
        let arrived = self.arrived.lock().expect("nobody panicked");
        arrived.iter().filter(|one| one.path == path).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, log: &Mutex<Vec<Arrived>>) -> Result<()> {
    let request = read(&mut stream).await?;
    let path = request.path.clone();
    log.lock().expect("nobody panicked").push(request);
    let answer = |status: &str, headers: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let text = match path.as_str() {
        "/slow" => {
            sleep(Duration::from_secs(3_600)).await;
            String::new()
        }
        "/broken" => answer("500 Internal Server Error", "", "out of order"),
        "/gone" => answer("410 Gone", "", ""),
        "/redirect" => answer("302 Found", "location: /elsewhere\r\n", ""),
        "/busy" => answer("429 Too Many Requests", "retry-after: 1800\r\n", ""),
        "/huge" => answer("200 OK", "", &"x".repeat(8 << 20)),
        "/headers" => {
            let many = (0..40).map(|number| format!("x-{number}: {}\r\n", "y".repeat(1_000)));
            answer("200 OK", &many.collect::<String>(), "")
        }
        "/endless" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await?;
            loop {
                stream.write_all(b"1\r\nz\r\n").await?;
                sleep(Duration::from_millis(50)).await;
            }
        }
        "/garbage" => "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        _ => answer("204 No Content", "", ""),
    };
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

async fn read(stream: &mut TcpStream) -> Result<Arrived> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "the line was cut");
    };
    let head = String::from_utf8(bytes[..end].to_vec())?;
    let mut lines = head.split("\r\n");
    let path = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .context("a path")?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map(|(_, value)| value.parse()).transpose()?.unwrap_or(0);
    while bytes.len() < end + 4 + length {
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "the line was cut");
    }
    Ok(Arrived {
        path: path.to_owned(),
        headers,
        body: String::from_utf8(bytes[end + 4..].to_vec())?,
    })
}
