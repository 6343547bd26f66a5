//! A: clients that open streams and read nothing.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::time::sleep;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::Upload;
use vintedbot_sdk::v1::WatchRequest;
use vintedbot_sdk::v1::event_service_client::EventServiceClient;

use super::Verdict;
use super::stage::Stage;
use crate::photos;

/// More streams than either engine's pool has connections.
const STREAMS: usize = 40;
/// The time for which the streams stay unread; longer than the limit of the honest client.
const HELD: Duration = Duration::from_secs(6);
/// The number of events in the log; too many to fit into the buffers of a stream.
const EVENTS: usize = 300;

/// Opens watches from an old cursor.
pub async fn catching_up(stage: &Stage) -> Result<Verdict> {
    let client = stage.client().await?;
    let mut events = EventServiceClient::new(client.channel());
    let first = events
        .watch(WatchRequest::default())
        .await?
        .into_inner()
        .message()
        .await?;
    let cursor = first.context("the stream has no first message")?.cursor;
    make_events(&client).await?;
    hold(
        stage,
        WatchRequest {
            cursor,
            ..Default::default()
        },
    )
    .await
}

/// Opens watches that begin with a complete snapshot.
pub async fn snapshot(stage: &Stage) -> Result<Verdict> {
    make_events(&stage.client().await?).await?;
    hold(
        stage,
        WatchRequest {
            snapshot: true,
            ..Default::default()
        },
    )
    .await
}

async fn make_events(client: &vintedbot_sdk::Client) -> Result<()> {
    let made = (0..EVENTS).map(|_| async move {
        let text = "Bonjour, toujours disponible ? ".repeat(20);
        client.templates().create(SystemIds.id(), text).await
    });
    futures::stream::iter(made)
        .buffer_unordered(8)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(())
}

/// Opens streams on one connection on which the server may send nothing.
async fn hold(stage: &Stage, request: WatchRequest) -> Result<Verdict> {
    let channel = Channel::from_shared(stage.url())?
        .initial_stream_window_size(0)
        .connect()
        .await?;
    let bearer: MetadataValue<_> = format!("Bearer {}", stage.attacker).parse()?;
    let connection = InterceptedService::new(channel, move |mut call: Request<()>| {
        call.metadata_mut().insert("authorization", bearer.clone());
        Ok::<_, Status>(call)
    });
    let streams = (0..STREAMS).map(|_| {
        let (mut client, request) = (EventServiceClient::new(connection.clone()), request.clone());
        async move { client.watch(request).await }
    });
    let streams = match try_join_all(streams).await {
        Ok(streams) => streams,
        Err(status) => {
            return Ok(Verdict::Succeeded(format!(
                "the attacker's own calls fail: {status}"
            )));
        }
    };
    sleep(HELD).await;
    drop(streams);
    Ok(Verdict::Held)
}

/// Requests photos and does not read the answers.
pub async fn downloads(stage: &Stage) -> Result<Verdict> {
    let client = stage.client().await?;
    let uploaded = client
        .media()
        .upload(Upload::bytes(photos::jpeg(1, 1_200, 1_600)?))
        .await?;
    let url = uploaded.photo.context("the answer contains no photo")?.url;
    #[expect(
        clippy::disallowed_methods,
        reason = "it calls only an instance on this machine"
    )]
    let browser = reqwest::Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(0)
        .build()?;
    let open: Vec<_> = (0..1_500)
        .map(|_| tokio::spawn(browser.get(&url).send()))
        .collect();
    sleep(HELD).await;
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", stage.pid()?))?.count();
    for download in open {
        download.abort();
    }
    Ok(Verdict::unless(descriptors < 700, || {
        format!("one connection holds {descriptors} descriptors")
    }))
}
