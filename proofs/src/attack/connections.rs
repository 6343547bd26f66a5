//! B: connections and calls that only occupy resources.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use futures::future::join_all;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use vintedbot_sdk::v1::WatchRequest;
use vintedbot_sdk::{Client, ErrorReason, Upload};

use super::Verdict;
use super::stage::Stage;
use crate::{contents, photos};

/// More connections than the instance has file descriptors.
const CONNECTIONS: usize = 1_100;
/// The time for which the connections are held.
const HELD: Duration = Duration::from_secs(3);
/// The limit for a publication during the attack. An undisturbed publication takes one second.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(20);

/// Opens connections that send nothing, while the attacker's own account prepares a publication.
pub async fn idle(stage: &Stage) -> Result<Verdict> {
    let before = Publication::make(&stage.client().await?).await?;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        // A full backlog ends the attack, not the instance.
        if let Ok(Ok(stream)) = timeout(Duration::from_secs(1), TcpStream::connect(stage.address())).await {
            held.push(stream);
        }
    }
    let prepared = timeout(PUBLISHED_WITHIN, before.prepare()).await;
    sleep(HELD).await;
    drop(held);
    Ok(match prepared {
        Ok(Ok(())) => Verdict::Held,
        Ok(Err(error)) => Verdict::Succeeded(format!("a publication fails: {error:#}")),
        Err(_elapsed) => Verdict::Succeeded("a publication is stuck".to_owned()),
    })
}

/// A listing that can be published.
struct Publication {
    client: Client,
    listing_id: String,
}

impl Publication {
    async fn make(client: &Client) -> Result<Self> {
        let account = crate::bench::fixture::account(client).await?;
        let uploaded = client
            .media()
            .upload(Upload::bytes(photos::jpeg(7, 600, 800)?))
            .await?;
        let photo = uploaded.photo.context("the answer contains no photo")?;
        let request = vintedbot_sdk::v1::CreateListingRequest {
            account_id: account.id,
            listing: Some(contents::whole("Sweat gris", vec![photo.id])),
            ..Default::default()
        };
        let listing = client.listings().create(request).await?;
        Ok(Self {
            client: client.clone(),
            listing_id: listing.id,
        })
    }

    /// Prepares the publication and waits until it awaits its confirmation.
    async fn prepare(&self) -> Result<()> {
        let publish = self.client.publish();
        let job = publish.prepare(&self.listing_id).await?;
        let job = publish.settled(&job.id).await?;
        ensure!(
            job.confirmation.is_some(),
            "the job does not await its confirmation: {job:?}"
        );
        Ok(())
    }
}

/// Opens connections that send their request head endlessly, one byte at a time.
pub async fn slow_heads(stage: &Stage) -> Result<Verdict> {
    let connect = (0..CONNECTIONS).map(|_| async {
        timeout(Duration::from_secs(5), TcpStream::connect(stage.address()))
            .await
            .ok()?
            .ok()
    });
    let mut streams: Vec<_> = join_all(connect).await.into_iter().flatten().collect();
    for byte in b"GET /health HTTP/1.1\r\nx-" {
        for stream in &mut streams {
            // Writes to a closed connection fail; that is the expected outcome.
            drop(stream.write_all(&[*byte]).await);
        }
        sleep(HELD / 24).await;
    }
    Ok(Verdict::Held)
}

/// Opens streams that need no token, each on its own connection.
pub async fn open_streams(stage: &Stage) -> Result<Verdict> {
    // An HTTP/2 preface, empty settings, and the head of a reflection call without a body.
    const HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut head = HEAD.to_vec();
    head.extend(reflection_head());
    let open = (0..CONNECTIONS).map(|_| async {
        let connect = TcpStream::connect(stage.address());
        let mut stream = timeout(Duration::from_secs(5), connect).await.ok()?.ok()?;
        stream.write_all(&head).await.ok()?;
        Some(stream)
    });
    let streams = join_all(open).await;
    sleep(HELD).await;
    drop(streams);
    Ok(Verdict::Held)
}

/// Returns a HEADERS frame in HPACK without compression (RFC 7541, section 6.2.2).
fn reflection_head() -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (
            ":path",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend(text.bytes());
        }
    }
    let length = u32::try_from(block.len()).expect("short").to_be_bytes();
    // Type HEADERS, flag END_HEADERS, stream 1.
    let mut frame = vec![length[1], length[2], length[3], 1, 4, 0, 0, 0, 1];
    frame.extend(block);
    frame
}

/// Opens watches of one workspace without limit.
pub async fn watches(stage: &Stage) -> Result<Verdict> {
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(stage.client().await?);
    }
    let mut held = Vec::new();
    let mut refused = 0;
    for number in 0..400 {
        let mut watch = clients[number % clients.len()]
            .events()
            .watch(WatchRequest::default());
        // The SDK keeps trying after a limit is reached.
        match timeout(Duration::from_millis(500), watch.next()).await {
            Ok(Some(Ok(_))) => held.push(watch),
            Ok(Some(Err(error))) => {
                ensure!(error.reason() == ErrorReason::RateLimited, "{error}");
                refused += 1;
            }
            Ok(None) | Err(_) => refused += 1,
        }
        if refused > 2 {
            break;
        }
    }
    let count = held.len();
    Ok(Verdict::unless(refused > 0 && count <= 256, || {
        format!("one workspace holds {count} streams")
    }))
}
