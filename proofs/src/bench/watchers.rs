//! Watchers in a separate process, so that their cost does not count as the server's and their files do not count as
//! ours. [`hold`] runs in that process, [`Watchers`] starts it.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::Args;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use vintedbot_sdk::v1::WatchResponse;
use vintedbot_sdk::v1::watch_response::Message;

use super::load::{self, Target};

/// The number of connections that are opened at the same time.
const OPENED_AT_ONCE: usize = 64;
/// Ten thousand connections take long in a debug build.
const OPEN_WITHIN: Duration = Duration::from_secs(300);
const DELIVERED_WITHIN: Duration = Duration::from_secs(300);
const READY: &str = "ready";
const DELIVERED: &str = "delivered";

/// The options of the process.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The server's URL.
    #[arg(long)]
    url: String,
    /// The method's path.
    #[arg(long)]
    path: String,
    #[arg(long)]
    connections: usize,
    /// The number of streams on each connection.
    #[arg(long)]
    each: usize,
    /// The number of events to wait for on each stream; 0 waits for none.
    #[arg(long)]
    events: usize,
}

/// Opens the streams and reports when all are open and when each has received its events. Holds them until the input
/// ends. The first line of the input is the authorization.
///
/// # Errors
///
/// Fails if a stream cannot be opened or ends.
pub async fn hold(options: &Options) -> Result<()> {
    let mut authorization = String::new();
    std::io::stdin().read_line(&mut authorization)?;
    let authorization: Arc<MetadataValue<Ascii>> = Arc::new(authorization.trim().parse()?);
    let path: PathAndQuery = options.path.parse()?;
    let endpoint = Endpoint::from_shared(options.url.clone())?.tcp_nodelay(true);
    let opened = stream::iter(0..options.connections).map(|_| {
        let (endpoint, authorization, path) = (endpoint.clone(), Arc::clone(&authorization), path.clone());
        async move {
            let channel = endpoint.connect().await?;
            let mut streams = Vec::with_capacity(options.each);
            for _ in 0..options.each {
                let (_, stream) = load::stream(channel.clone(), &authorization, path.clone()).await?;
                streams.push(stream);
            }
            Ok::<_, anyhow::Error>((channel, streams))
        }
    });
    let connections: Vec<_> = opened.buffer_unordered(OPENED_AT_ONCE).try_collect().await?;
    println!("{READY}");
    let mut channels = Vec::with_capacity(connections.len());
    let mut bringing = JoinSet::new();
    for (channel, streams) in connections {
        channels.push(channel);
        for stream in streams {
            bringing.spawn(bring(stream, options.events));
        }
    }
    let mut streams = Vec::with_capacity(bringing.len());
    while let Some(brought) = bringing.join_next().await {
        streams.push(brought??);
    }
    println!("{DELIVERED}");
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    ended.await??;
    drop((streams, channels));
    Ok(())
}

/// Reads until the given number of events has arrived.
async fn bring(mut stream: Streaming<Bytes>, events: usize) -> Result<Streaming<Bytes>> {
    let mut seen = 0;
    while seen < events {
        let message = stream.message().await?.context("a stream ended")?;
        let message = WatchResponse::decode(message)?.message;
        seen += usize::from(matches!(message, Some(Message::Event(_))));
    }
    Ok(stream)
}

/// The process that holds the streams. It is ended on drop.
pub struct Watchers {
    _child: Child,
    says: Lines<BufReader<ChildStdout>>,
}

impl Watchers {
    /// Starts the process. Returns when every stream has its first message.
    pub async fn start(
        target: &Target,
        path: &str,
        connections: usize,
        each: usize,
        events: usize,
    ) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("watchers")
            .args(["--url", &target.url, "--path", path])
            .args(["--connections", &connections.to_string()])
            .args(["--each", &each.to_string()])
            .args(["--events", &events.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        // Passed as input, because every user of the machine can read the arguments.
        let line = format!("{}\n", target.authorization.to_str()?);
        let input = child.stdin.as_mut().context("the input is not piped")?;
        tokio::io::AsyncWriteExt::write_all(input, line.as_bytes()).await?;
        let output = child.stdout.take().context("the output is not piped")?;
        let mut watchers = Self {
            _child: child,
            says: BufReader::new(output).lines(),
        };
        watchers.hears(READY, OPEN_WITHIN).await?;
        Ok(watchers)
    }

    /// Waits until every stream has received its events.
    pub async fn delivered(&mut self) -> Result<()> {
        self.hears(DELIVERED, DELIVERED_WITHIN).await
    }

    async fn hears(&mut self, word: &str, within: Duration) -> Result<()> {
        let said = timeout(within, self.says.next_line()).await;
        let said = said.with_context(|| format!("the watchers are not {word}"))??;
        ensure!(
            said.as_deref() == Some(word),
            "the watchers ended before they were {word}"
        );
        Ok(())
    }
}
