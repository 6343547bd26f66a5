//! D: uploads that are not permitted, that never end, or that use one link several times.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use vintedbot_sdk::v1::CreateUploadUrlRequest;
use vintedbot_sdk::v1::media_service_client::MediaServiceClient;

use super::Verdict;
use super::stage::Stage;
use crate::photos;

const LINKS: usize = 8;
/// The number of uploads of one workspace that the server reads at once.
const UPLOADS_OF_A_WORKSPACE: usize = 8;
/// The largest photo, in bytes.
const BYTES: usize = 25 << 20;
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Sends altered links, each with a body of 25 MiB.
pub async fn altered_links(stage: &Stage) -> Result<Verdict> {
    let url = link(stage).await?;
    let mut open = Vec::new();
    for _ in 0..LINKS {
        open.push(put(stage, &format!("{url}x"), BYTES).await?);
    }
    for mut stream in open {
        // No body was sent, so an answer that arrives now was sent before the server read the body.
        let status = timeout(ANSWERED_WITHIN, status(&mut stream)).await;
        let Ok(status) = status else {
            return Ok(Verdict::Succeeded(
                "the body of an altered link is read".to_owned(),
            ));
        };
        if !matches!(status?, 403 | 410) {
            return Ok(Verdict::Succeeded("an altered link is accepted".to_owned()));
        }
    }
    Ok(Verdict::Held)
}

/// Sends uploads of 25 MiB without their last bytes, then nothing.
pub async fn held(stage: &Stage) -> Result<Verdict> {
    let piece = vec![0xff; 1 << 20];
    let mut open = Vec::new();
    for _ in 0..3 * UPLOADS_OF_A_WORKSPACE {
        let url = link(stage).await?;
        let mut stream = put(stage, &url, BYTES).await?;
        let sent = async {
            for _ in 0..BYTES / piece.len() - 1 {
                stream.write_all(&piece).await?;
            }
            Ok::<_, std::io::Error>(())
        };
        // The server does not read an upload that waits for a slot.
        drop(timeout(Duration::from_millis(500), sent).await);
        open.push(stream);
    }
    let spooled = spooled(stage.pid()?)?;
    drop(open);
    Ok(Verdict::unless(spooled <= UPLOADS_OF_A_WORKSPACE, || {
        format!("one workspace holds {spooled} uploads")
    }))
}

/// Counts the deleted spool files that the process has open.
fn spooled(pid: u32) -> Result<usize> {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd"))?
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok());
    Ok(links
        .filter(|link| {
            let link = link.to_string_lossy();
            link.contains("/spool/") && link.ends_with("(deleted)")
        })
        .count())
}

/// Sends several photos to one link.
pub async fn used_link(stage: &Stage) -> Result<Verdict> {
    let url = link(stage).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "it calls only an instance on this machine"
    )]
    let client = reqwest::Client::new();
    let mut statuses = Vec::new();
    for seed in [1, 1, 2, 3] {
        let photo = photos::jpeg(seed, 300, 400)?;
        statuses.push(client.put(&url).body(photo).send().await?.status().as_u16());
    }
    Ok(Verdict::unless(statuses == [200, 200, 409, 409], || {
        format!("one link is answered with {statuses:?}")
    }))
}

/// Returns a link without a `request_id`. The SDK's own call would add one.
async fn link(stage: &Stage) -> Result<String> {
    let mut media = MediaServiceClient::new(stage.client().await?.channel());
    let made = media.create_upload_url(CreateUploadUrlRequest::default()).await?;
    Ok(made.into_inner().url)
}

/// Starts an upload to a link.
async fn put(stage: &Stage, url: &str, length: usize) -> Result<TcpStream> {
    let path = url
        .strip_prefix(&stage.url())
        .context("the link is not of this instance")?;
    let mut stream = TcpStream::connect(stage.address()).await?;
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\n",
        stage.address()
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

/// Returns the status of an answer.
async fn status(stream: &mut TcpStream) -> Result<u16> {
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let text = std::str::from_utf8(&head)?;
    Ok(text
        .split(' ')
        .nth(1)
        .context("the answer has no status")?
        .parse()?)
}
