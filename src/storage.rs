//! The store of photos, screenshots and page texts: the data folder, another folder, or a bucket of an S3-compatible
//! store.

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

/// These timeouts are about as long as a caller waits. A later call finds the store again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const RETRIES: usize = 2;
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the store that MEDIA_URL names. Fails if the bucket cannot be listed, read, written and deleted from.
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
        bail!("MEDIA_URL = {}: {}", config.media.url, reason(&error, &bucket));
    }
    Ok(files)
}

enum Address {
    Folder(PathBuf),
    Bucket { name: String, prefix: String },
}

/// Parses MEDIA_URL. Messages contain the URL, so a URL with a password is refused.
fn address(config: &Config, folder: &Path) -> Result<Address> {
    if config.media.url.is_empty() {
        return Ok(Address::Folder(folder.join("media")));
    }
    let form = "MEDIA_URL must look like s3://bucket, s3://bucket/prefix, or file:///srv/vintedbot/media";
    let url: Url = config.media.url.parse().context(form)?;
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
        bail!("{form}; set the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    if config.aws.access_key_id.is_empty() || config.aws.secret_access_key.is_empty() {
        bail!("MEDIA_URL needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    Ok(Address::Bucket {
        name: bucket.to_owned(),
        prefix: url.path().trim_matches('/').to_owned(),
    })
}

fn s3(config: &Config, bucket: &str) -> Result<AmazonS3> {
    let endpoint = config.aws.endpoint_url.trim_end_matches('/');
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT)
        .with_allow_http(endpoint.starts_with("http://"));
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&config.aws.region)
        .with_access_key_id(&config.aws.access_key_id)
        .with_secret_access_key(&config.aws.secret_access_key)
        .with_virtual_hosted_style_request(!config.media.path_style)
        .with_client_options(client)
        .with_retry(retry);
    if !endpoint.is_empty() {
        let mut url: Url = endpoint.parse().context("AWS_ENDPOINT_URL is not a URL")?;
        if !config.media.path_style {
            // For virtual-hosted style, the library expects the bucket in the endpoint's host.
            let host = format!("{bucket}.{}", url.host_str().unwrap_or_default());
            url.set_host(Some(&host)).context("AWS_ENDPOINT_URL")?;
        }
        builder = builder.with_endpoint(url.as_str().trim_end_matches('/'));
    }
    builder.build().context("MEDIA_URL")
}

/// Describes an error of the store and names the settings to check.
fn reason(error: &Error, bucket: &str) -> String {
    let text = error.to_string();
    let says = |status: &str| text.contains(&format!("status code: {status}"));
    // The library maps these status codes to error variants only for requests about a single object.
    if matches!(error, Error::NotFound { .. }) || says("404") {
        return format!("the bucket {bucket} does not exist");
    }
    if matches!(
        error,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. }
    ) || says("403")
        || says("401")
    {
        return "the store refuses AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or they lack the permission to list, \
                read, write and delete"
            .to_owned();
    }
    let line = text.split(['\n', '<']).next().unwrap_or_default();
    format!("the store cannot be used; check AWS_ENDPOINT_URL and AWS_REGION: {line}")
}
