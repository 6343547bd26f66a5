//! I: resources that a token created, after the token has ended.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::sleep;
use vintedbot_domain::clock::{Clock as _, SystemClock};
use vintedbot_sdk::v1::{CreateApiTokenRequest, CreateApiTokenResponse, CreateUploadUrlRequest};
use vintedbot_sdk::{Client, RetryPolicy, Timestamp, Upload};

use super::Verdict;
use super::stage::Stage;
use crate::photos;

/// Creates a token without expiry with a token that expires soon.
pub async fn outlived(stage: &Stage) -> Result<Verdict> {
    let workspace = stage.client().await?;
    let parent = make(&workspace, Some(after(Duration::from_secs(2))?)).await?;
    let child = make(&connect(stage, &parent).await?, None).await?;
    let later = after(Duration::from_secs(3_600))?;
    if make(&connect(stage, &parent).await?, Some(later)).await.is_ok() {
        return Ok(Verdict::Succeeded(
            "a child token may expire later than its parent".to_owned(),
        ));
    }
    sleep(Duration::from_millis(2_500)).await;
    let answer = connect(stage, &child).await?.auth().get_me().await;
    Ok(Verdict::unless(answer.is_err(), || {
        "a child token outlives its parent".to_owned()
    }))
}

/// Revokes a token, and uses its links and its child tokens.
pub async fn revoked(stage: &Stage) -> Result<Verdict> {
    let workspace = stage.client().await?;
    let parent = make(&workspace, None).await?;
    let client = connect(stage, &parent).await?;
    let child = make(&client, None).await?;
    let upload = client
        .media()
        .create_upload_url(CreateUploadUrlRequest::default())
        .await?
        .url;
    let stored = client
        .media()
        .upload(Upload::bytes(photos::jpeg(3, 300, 400)?))
        .await?;
    let photo = stored.photo.context("the answer contains no photo")?.url;
    let id = parent.api_token.context("the answer contains no token")?.id;
    workspace.auth().revoke_api_token(id).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "it calls only an instance on this machine"
    )]
    let browser = reqwest::Client::new();
    let put = browser
        .put(&upload)
        .body(photos::jpeg(4, 300, 400)?)
        .send()
        .await?;
    let get = browser.get(&photo).send().await?;
    if put.status().is_success() || get.status().is_success() {
        return Ok(Verdict::Succeeded("a link outlives its token".to_owned()));
    }
    let answer = connect(stage, &child).await?.auth().get_me().await;
    Ok(Verdict::unless(answer.is_err(), || {
        "a child token outlives its parent".to_owned()
    }))
}

async fn make(client: &Client, expire_time: Option<Timestamp>) -> Result<CreateApiTokenResponse> {
    let who = client.auth().get_me().await?;
    let request = CreateApiTokenRequest {
        name: "attack".to_owned(),
        scopes: who.api_token.context("the answer contains no token")?.scopes,
        expire_time,
        ..Default::default()
    };
    Ok(client.auth().create_api_token(request).await?)
}

async fn connect(stage: &Stage, made: &CreateApiTokenResponse) -> Result<Client> {
    let client = Client::builder(stage.url()).token(&made.secret);
    Ok(client.retry(RetryPolicy::never()).build().await?)
}

/// Returns the time that lies this far in the future.
fn after(time: Duration) -> Result<Timestamp> {
    let millis = SystemClock.now() + i64::try_from(time.as_millis())?;
    Ok(Timestamp {
        seconds: millis / 1_000,
        nanos: i32::try_from(millis % 1_000)? * 1_000_000,
    })
}
