//! E: lists with far too many entries.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, timeout};

use super::Verdict;
use super::stage::Stage;

/// The largest message, and the largest message with photos, in bytes.
const BYTES: usize = 4 << 20;
const BYTES_WITH_PHOTOS: usize = 25 << 20;
/// The limit for a refusal, also in a build without optimisation.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

/// Sends `ListThreads` with two million empty ids.
pub async fn empty_entries(stage: &Stage) -> Result<Verdict> {
    // Field 1; each entry has two bytes.
    let entries = [0x0a, 0].repeat(BYTES / 2);
    send(stage, "InboxService/ListThreads", entries).await
}

/// Sends `CreateListingFromPhotos` with twelve million empty photos.
pub async fn empty_photos(stage: &Stage) -> Result<Verdict> {
    // Field 2.
    let entries = [0x12, 0].repeat(BYTES_WITH_PHOTOS / 2);
    send(stage, "ListingService/CreateListingFromPhotos", entries).await
}

async fn send(stage: &Stage, method: &str, message: Vec<u8>) -> Result<Verdict> {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len())?.to_be_bytes());
    frame.extend(message);
    #[expect(
        clippy::disallowed_methods,
        reason = "it calls only an instance on this machine"
    )]
    let client = reqwest::Client::builder().http2_prior_knowledge().build()?;
    let began = Instant::now();
    let sent = (0..4).map(|_| {
        client
            .post(format!("{}/vintedbot.v1.{method}", stage.url()))
            .bearer_auth(&stage.attacker)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(frame.clone())
            .send()
    });
    let answers = timeout(4 * REFUSED_WITHIN, futures::future::join_all(sent)).await;
    let Ok(answers) = answers else {
        return Ok(Verdict::Succeeded(
            "the message is processed for too long".to_owned(),
        ));
    };
    for answer in answers {
        let answer = answer?;
        let status = answer
            .headers()
            .get("grpc-status")
            .and_then(|value| value.to_str().ok());
        // INVALID_ARGUMENT or RESOURCE_EXHAUSTED.
        if !matches!(status, Some("3" | "8")) {
            return Ok(Verdict::Succeeded(format!(
                "the message is answered with {status:?}"
            )));
        }
    }
    let took = began.elapsed();
    Ok(Verdict::unless(took < 4 * REFUSED_WITHIN, || {
        format!("it takes {took:?}")
    }))
}
