//! Photos in a bucket: upload and deletion, an outage of the bucket, and wrong settings.

#[path = "../support/bucket.rs"]
mod bucket;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bucket::{BUCKET, Bucket, SECRET};
use tokio::time::{Instant, sleep};
use vintedbot_proofs::instance::{Browser, Instance, Practice, Setup};
use vintedbot_proofs::{contents, photos};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{Account, CreateAccountRequest, CreateListingRequest, Photo, account};
use vintedbot_sdk::{Client, Code, Error, ErrorReason, Upload};

const PATIENCE: Duration = Duration::from_secs(60);

/// An instance that stores its files in a bucket.
struct Stage {
    bucket: Bucket,
    practice: Practice,
    instance: Instance,
    client: Client,
    _folder: tempfile::TempDir,
}

fn setup(folder: &Path, practice: &Practice, further: Vec<(String, String)>) -> Setup {
    let mut settings: Vec<_> = [
        ("BROWSER_PACING", "0ms"),
        ("JOBS_BACKOFF", "300ms"),
        ("LOG", "info"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    settings.extend(further);
    Setup {
        data_dir: folder.join("data"),
        practice_url: practice.site.url().to_owned(),
        browser: Browser::Off,
        settings,
    }
}

impl Stage {
    async fn open() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let bucket = Bucket::start().await?;
        let practice = Practice::start(&folder.path().join("records.jsonl")).await?;
        let mut instance = Instance::new(setup(folder.path(), &practice, bucket.settings()))?;
        instance.start().await?;
        let client = Client::builder(instance.url())
            .token_file(instance.token_file())
            .lazy()?;
        Ok(Self {
            bucket,
            practice,
            instance,
            client,
            _folder: folder,
        })
    }

    async fn close(mut self) -> Result<()> {
        let log = std::fs::read_to_string(self.instance.log_file())?;
        ensure!(!log.contains(SECRET), "the log has the key to the bucket");
        self.instance.stop().await?;
        self.practice.stop().await
    }

    async fn photo(&self, seed: u64) -> Result<Photo> {
        let picture = Upload::bytes(photos::jpeg(seed, 300, 400)?);
        let stored = self.client.media().upload(picture).await?;
        stored.photo.context("a photo")
    }

    async fn account(&self) -> Result<Account> {
        let request = CreateAccountRequest {
            display_name: "Sophie".into(),
            market: "fr".into(),
            ..Default::default()
        };
        let made = self.client.accounts().create(request).await?;
        let until = Instant::now() + PATIENCE;
        loop {
            let account = self.client.accounts().get(&made.id).await?;
            if account.state() == account::State::Active {
                return Ok(account);
            }
            ensure!(
                Instant::now() < until,
                "the account is not connected: {account:?}"
            );
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Asserts an error after which the same call may succeed later.
fn is_away<T>(result: std::result::Result<T, Error>) -> Result<()> {
    let error = result.err().context("it is done without the store")?;
    ensure!(
        error.code() == Some(Code::Unavailable) && error.reason() == ErrorReason::Unavailable,
        "{error:?}"
    );
    Ok(())
}

async fn comes(what: &str, mut is_there: impl FnMut() -> bool) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !is_there() {
        ensure!(Instant::now() < until, "{what}");
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn photo_stays_in_the_bucket_from_upload_to_deletion() -> Result<()> {
    let stage = Stage::open().await?;
    let photo = stage.photo(1).await?;
    let sha256 = &photo.sha256;
    let key = format!("photos/{}/{}/{sha256}.jpg", &sha256[..2], &sha256[2..4]);
    ensure!(stage.bucket.keys("") == [key], "{:?}", stage.bucket.keys(""));
    let shown = reqwest::get(&photo.url)
        .await?
        .error_for_status()?
        .bytes()
        .await?;
    ensure!(i64::try_from(shown.len())? == photo.size_bytes);
    let forged = reqwest::get(format!("{}x", photo.url)).await?;
    ensure!(forged.status() == 404, "a forged signature: {}", forged.status());

    // A phone photo of twelve megapixels is stored at the largest size that the site accepts.
    let large = Upload::bytes(photos::jpeg(2, 3_000, 4_000)?);
    let large = stage
        .client
        .media()
        .upload(large)
        .await?
        .photo
        .context("a photo")?;
    let shown = reqwest::get(&large.url)
        .await?
        .error_for_status()?
        .bytes()
        .await?;
    ensure!(i64::try_from(shown.len())? == large.size_bytes);

    stage.client.media().delete(&photo.id).await?;
    stage.client.media().delete(&large.id).await?;
    ensure!(stage.bucket.keys("").is_empty(), "{:?}", stage.bucket.keys(""));
    // Equal content is the same file.
    stage.photo(1).await?;
    ensure!(stage.bucket.keys("photos").len() == 1);
    stage.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn unavailable_bucket_loses_nothing_and_recovers() -> Result<()> {
    let mut stage = Stage::open().await?;
    let account = stage.account().await?;
    let (shown, deleted) = (stage.photo(1).await?, stage.photo(2).await?);
    let listing = CreateListingRequest {
        account_id: account.id.clone(),
        listing: Some(contents::whole("Sweat gris", vec![shown.id.clone()])),
        ..Default::default()
    };
    let listing = stage.client.listings().create(listing).await?;

    stage.bucket.kill_server().await;
    let picture = Upload::bytes(photos::jpeg(3, 300, 400)?);
    // The SDK retries automatically. This test checks the first answer.
    is_away(stage.client.media().upload(picture).await)?;
    let answer = reqwest::get(&shown.url).await?;
    ensure!(answer.status() == 503, "{}", answer.status());
    // The row is deleted at once, the file later.
    stage.client.media().delete(&deleted.id).await?;
    ensure!(stage.bucket.keys("photos").len() == 2);
    let job = stage.client.publish().prepare(&listing.id).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let waiting = stage.client.publish().get(&job.id).await?;
        if waiting.reason_message.contains("MEDIA_URL") {
            break;
        }
        ensure!(Instant::now() < until, "the job does not say so: {waiting:?}");
        sleep(Duration::from_millis(100)).await;
    }
    // A restart does not help, and its error says why.
    stage.instance.stop().await?;
    let refused = stage.instance.start().await.err().context("it starts")?;
    ensure!(format!("{refused:#}").contains("MEDIA_URL"), "{refused:#}");

    stage.bucket.restart_server().await?;
    stage.instance.start().await?;
    stage
        .instance
        .run(&["schedules", "set", "file_removal", "--every-seconds", "1"])
        .await?;
    let settled = stage.client.publish().settled(&job.id).await?;
    ensure!(settled.state() == State::AwaitingConfirmation, "{settled:?}");
    let bucket = &stage.bucket;
    comes("the deleted file stays", || bucket.keys("photos").len() == 1).await?;
    ensure!(bucket.keys("photos")[0].contains(&shown.sha256));
    stage.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_bucket_fails_startup_and_names_the_setting() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bucket = Bucket::start().await?;
    let practice = Practice::start(&folder.path().join("records.jsonl")).await?;
    let cases: [(&str, &str, &str); 7] = [
        ("MEDIA_URL", "s3://another", "the bucket another does not exist"),
        ("MEDIA_URL", "/srv/photos", "must look like s3://bucket"),
        (
            "MEDIA_URL",
            "s3://key:password@photos",
            "must look like s3://bucket",
        ),
        (
            "AWS_SECRET_ACCESS_KEY",
            "another-secret",
            "refuses AWS_ACCESS_KEY_ID",
        ),
        ("AWS_ACCESS_KEY_ID", "somebody", "refuses AWS_ACCESS_KEY_ID"),
        ("AWS_ACCESS_KEY_ID", "", "needs AWS_ACCESS_KEY_ID"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "AWS_ENDPOINT_URL"),
    ];
    for (number, (setting, value, expected)) in cases.into_iter().enumerate() {
        let mut settings = bucket.settings();
        settings.retain(|(known, _)| known != setting);
        settings.push((setting.to_owned(), value.to_owned()));
        let folder = folder.path().join(number.to_string());
        let mut instance = Instance::new(setup(&folder, &practice, settings))?;
        let refusal = instance
            .start()
            .await
            .err()
            .with_context(|| format!("{setting}={value} starts"))?;
        let refusal = format!("{refusal:#}");
        ensure!(
            refusal.contains("MEDIA_URL") && refusal.contains(expected),
            "{setting}={value}: {refusal}"
        );
        for secret in [SECRET, "another-secret", "password@"] {
            ensure!(!refusal.contains(secret), "{refusal}");
        }
    }
    ensure!(
        bucket.keys("").is_empty() && !BUCKET.is_empty(),
        "a trial is left behind"
    );
    practice.stop().await
}
