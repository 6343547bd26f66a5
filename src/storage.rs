//! Where photos, screenshots and page texts are kept: the data folder, another folder, or a bucket of an S3-compatible store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, Error, RetryConfig};
use url::Url;
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_domain::media::files::PhotoFiles;

use crate::config::Config;

/// A call waits for an answer about as long as its caller does; who comes back later finds the store again.
const CONNECTS_WITHIN: Duration = Duration::from_secs(3);
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
const RETRIES: usize = 2;
const RETRIED_WITHIN: Duration = Duration::from_secs(10);

/// The store that MEDIA_URL names. One that does not work is refused here, at start.
pub async fn open(config: &Config, folder: &Path) -> Result<PhotoFiles> {
    let (bucket, prefix) = match address(config, folder)? {
        Address::Folder(folder) => return Ok(PhotoFiles::open(&folder)?),
        Address::Bucket { name, prefix } => (name, prefix),
    };
    let store = s3(config, &bucket)?;
    let files = if prefix.is_empty() {
        PhotoFiles::remote(Arc::new(store))
    } else {
        PhotoFiles::remote(Arc::new(PrefixStore::new(store, prefix)))
    };
    if let Err(error) = files.probe(&SystemIds.id()).await {
        bail!("MEDIA_URL = {}: {}", config.media_url, reason(&error, &bucket));
    }
    Ok(files)
}

enum Address {
    Folder(PathBuf),
    Bucket { name: String, prefix: String },
}

/// What MEDIA_URL means. The address is repeated in messages: there is no password in it, or it is refused.
fn address(config: &Config, folder: &Path) -> Result<Address> {
    if config.media_url.is_empty() {
        return Ok(Address::Folder(folder.join("media")));
    }
    let form = "MEDIA_URL must look like s3://bucket, s3://bucket/prefix, or file:///srv/vintedbot/media";
    let url: Url = config.media_url.parse().context(form)?;
    if url.scheme() == "file" {
        let Ok(folder) = url.to_file_path() else {
            bail!(form)
        };
        return Ok(Address::Folder(folder));
    }
    let bucket = url.host_str().unwrap_or_default();
    let is_plain = url.scheme() == "s3"
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.port().is_none();
    if !is_plain || bucket.is_empty() {
        bail!("{form}; keys stand in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    if config.aws_access_key_id.is_empty() || config.aws_secret_access_key.is_empty() {
        bail!("MEDIA_URL needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    Ok(Address::Bucket {
        name: bucket.to_owned(),
        prefix: url.path().trim_matches('/').to_owned(),
    })
}

fn s3(config: &Config, bucket: &str) -> Result<AmazonS3> {
    let endpoint = config.aws_endpoint_url.trim_end_matches('/');
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECTS_WITHIN)
        .with_timeout(ANSWERS_WITHIN)
        .with_allow_http(endpoint.starts_with("http://"));
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRIED_WITHIN,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&config.aws_region)
        .with_access_key_id(&config.aws_access_key_id)
        .with_secret_access_key(&config.aws_secret_access_key)
        .with_virtual_hosted_style_request(!config.media_path_style)
        .with_client_options(client)
        .with_retry(retry);
    if !endpoint.is_empty() {
        let mut url: Url = endpoint.parse().context("AWS_ENDPOINT_URL is not an address")?;
        if !config.media_path_style {
            // The library takes an endpoint of that style with the bucket in it.
            let host = format!("{bucket}.{}", url.host_str().unwrap_or_default());
            url.set_host(Some(&host)).context("AWS_ENDPOINT_URL")?;
        }
        builder = builder.with_endpoint(url.as_str().trim_end_matches('/'));
    }
    builder.build().context("MEDIA_URL")
}

/// What is wrong, and what to look at.
fn reason(error: &Error, bucket: &str) -> String {
    let text = error.to_string();
    let says = |status: &str| text.contains(&format!("status code: {status}"));
    // The library has a name of its own for these answers only where they are about one object.
    if matches!(error, Error::NotFound { .. }) || says("404") {
        return format!("there is no bucket {bucket}");
    }
    if matches!(
        error,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. }
    ) || says("403")
        || says("401")
    {
        return "the store refuses AWS_ACCESS_KEY_ID with its AWS_SECRET_ACCESS_KEY, or does not let them list, read, write \
                and delete there"
            .to_owned();
    }
    let line = text.split(['\n', '<']).next().unwrap_or_default();
    format!("the store cannot be reached or does not work (AWS_ENDPOINT_URL, AWS_REGION): {line}")
}
