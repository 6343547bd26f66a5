//! The steps of the demo.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use tokio::time::{sleep, timeout};
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{
    Account, Confirmation, CreateAccountRequest, CreateListingRequest, ListConditionsRequest, Listing,
    ListingInput, Photo, PublishJob, account,
};
use vintedbot_sdk::{Client, ErrorReason, Upload, money, name};

use super::{Options, show};
use crate::photos;
use crate::records::Site;

/// The time limit of a job; long enough for a browser on a busy machine.
const JOB_TAKES_AT_MOST: Duration = Duration::from_secs(240);
const CATALOG_TAKES_AT_MOST: Duration = Duration::from_secs(60);
const SECOND: &str = "Sweat à rayures, col rond";
const THIRD: &str = "Sweat à capuche, peu porté";
const ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "gif"];

/// The progress of the demo, as the instance reports it.
#[derive(Default)]
pub struct Progress {
    /// The member on the practice site whose records belong to the demo.
    pub member_id: u64,
    /// Whether the first listing's photos were generated; these are upright once their orientation is applied.
    pub are_photos_made: bool,
    /// The acts so far: the published, the cancelled and the challenged listing.
    pub acts: Vec<Act>,
}

/// One listing and the last state of its job.
pub struct Act {
    pub listing: Listing,
    pub photos: Vec<Photo>,
    pub job: PublishJob,
}

/// Runs all steps. Stops at the first unexpected result.
pub async fn run(
    progress: &mut Progress,
    client: &Client,
    site: &Site,
    options: &Options,
    folder: &Path,
) -> Result<()> {
    let me = client.auth().get_me().await?;
    println!(
        "signed in as {} on vintedbot {}",
        me.workspace_name, me.server_version
    );
    let _events = show::events(client).await?;
    let account = account(client).await?;
    progress.member_id = account
        .member_id
        .parse()
        .context("the account's member id is not a number")?;
    let script = Script {
        client,
        site,
        folder,
        account,
    };

    println!("\n1. A listing is published from photos");
    let given = options
        .photos
        .as_deref()
        .filter(|folder| !folder.as_os_str().is_empty());
    progress.are_photos_made = given.is_none();
    let uploads = match given {
        Some(folder) => found(folder)?,
        None => made(1..=3)?,
    };
    let listing = ("Porté deux fois, comme neuf.", 2_900);
    script
        .publish(script.begin(progress, uploads, &options.title, listing).await?)
        .await?;

    println!("\n2. A second listing is prepared and cancelled");
    let act = script
        .begin(
            progress,
            made(4..=5)?,
            SECOND,
            ("Taille bien, sans défaut.", 1_800),
        )
        .await?;
    script.prepare(act).await?;
    act.job = client.publish().cancel(&act.job.id).await?;
    script.settle(act, State::Cancelled).await?;

    println!("\n3. A third listing stops at a captcha");
    let act = script
        .begin(
            progress,
            made(6..=7)?,
            THIRD,
            ("Coton épais, coupe ample.", 2_200),
        )
        .await?;
    let member_id = script.account.member_id.parse::<u64>()?;
    site.add_rule(&json!({"on": "form", "member": member_id, "times": 1, "do": "captcha_page"}))
        .await?;
    act.job = client.publish().prepare(&act.listing.id).await?;
    script.settle(act, State::Blocked).await?;
    println!(
        "  stopped: {} ({})",
        act.job.reason_message,
        act.job.reason().as_str_name()
    );
    script.screenshot(&act.job, "challenge.png").await
}

/// The context of every step.
struct Script<'a> {
    client: &'a Client,
    site: &'a Site,
    /// The folder for screenshots.
    folder: &'a Path,
    account: Account,
}

impl Script<'_> {
    /// Stores photos and creates a listing with them.
    async fn begin<'t>(
        &self,
        progress: &'t mut Progress,
        uploads: Vec<Upload>,
        title: &str,
        (description, price): (&str, i64),
    ) -> Result<&'t mut Act> {
        let answers = self.client.media().upload_all(uploads).await?;
        let photos: Option<Vec<_>> = answers.into_iter().map(|answer| answer.photo).collect();
        let photos = photos.context("the answer to an upload contains no photo")?;
        for photo in &photos {
            println!(
                "  {}: {} x {}, {} bytes",
                photo.file_name, photo.width, photo.height, photo.size_bytes
            );
        }
        let listing = ListingInput {
            title: title.to_owned(),
            description: description.to_owned(),
            price: Some(money(price, "EUR")),
            category: Some(name("Homme > Sweats")),
            brand: Some(name("Lacoste")),
            size: Some(name("M")),
            condition: Some(name("bon")),
            colors: vec![name("Gris")],
            package_size: Some(name("Petit")),
            photo_ids: photos.iter().map(|photo| photo.id.clone()).collect(),
            ..Default::default()
        };
        let request = CreateListingRequest {
            account_id: self.account.id.clone(),
            listing: Some(listing),
            ..Default::default()
        };
        let listing = self.client.listings().create(request).await?;
        let category = listing.category.as_ref().map_or("", |category| &category.name);
        println!("  listing {}: {} ({category})", listing.id, listing.title);
        progress.acts.push(Act {
            listing,
            photos,
            job: PublishJob::default(),
        });
        progress.acts.last_mut().context("the act was not recorded")
    }

    /// Prepares a listing and shows it as a person would review it.
    async fn prepare(&self, act: &mut Act) -> Result<()> {
        act.job = self.client.publish().prepare(&act.listing.id).await?;
        println!("  preparing as job {}", act.job.id);
        self.settle(act, State::AwaitingConfirmation).await
    }

    /// Waits until the job settles, and records its state.
    async fn settle(&self, act: &mut Act, wanted: State) -> Result<()> {
        let settled = timeout(JOB_TAKES_AT_MOST, self.client.publish().settled(&act.job.id)).await;
        act.job = settled.with_context(|| format!("job {} did not settle in time", act.job.id))??;
        let job = &act.job;
        if job.state() != wanted {
            let (state, reason) = (job.state().as_str_name(), job.reason().as_str_name());
            bail!(
                "job {} is {state} instead of {}: {} ({reason})",
                job.id,
                wanted.as_str_name(),
                job.reason_message
            );
        }
        Ok(())
    }

    /// Publishes a listing: prepare, review, confirm as a dry run, confirm.
    async fn publish(&self, act: &mut Act) -> Result<()> {
        self.prepare(act).await?;
        show::read_back(&act.job);
        self.screenshot(&act.job, "prepared.png").await?;
        println!("  preview: {}", act.job.preview_url);
        let confirmation = act
            .job
            .confirmation
            .clone()
            .context("the job has no confirmation")?;
        self.check(&act.job, &confirmation).await?;
        println!("  confirming");
        act.job = self.client.publish().confirm(&act.job.id, &confirmation).await?;
        self.settle(act, State::Published).await?;
        println!("  published: {}", act.job.remote_url);
        Ok(())
    }

    /// Confirms as a dry run, and checks that nothing changed.
    async fn check(&self, job: &PublishJob, confirmation: &Confirmation) -> Result<()> {
        let before = self.site.last_seq().await?;
        let answer = self.client.publish().check(&job.id, confirmation).await?;
        println!("  confirming as a dry run:");
        for check in &answer.checks {
            let name = check
                .kind()
                .as_str_name()
                .trim_start_matches("KIND_")
                .to_lowercase();
            let passed = if check.passed {
                "passes".to_owned()
            } else {
                format!("failed: {}", check.message)
            };
            println!("    {name:<15} {passed}");
        }
        let after = self.client.publish().get(&job.id).await?;
        ensure!(
            after.state() == State::AwaitingConfirmation,
            "a dry run changed the job's state"
        );
        ensure!(
            self.site.last_seq().await? == before,
            "a dry run sent a write to the site"
        );
        Ok(())
    }

    /// Saves the job's last screenshot as a file.
    async fn screenshot(&self, job: &PublishJob, file_name: &str) -> Result<()> {
        let screenshots: Vec<_> = self.client.publish().screenshots(&job.id).try_collect().await?;
        let screenshot = screenshots.last().context("the job has no screenshot")?;
        let picture = reqwest::get(&screenshot.url)
            .await?
            .error_for_status()?
            .bytes()
            .await?;
        ensure!(!picture.is_empty(), "the screenshot is empty");
        let path: PathBuf = self.folder.join(file_name);
        tokio::fs::write(&path, picture).await?;
        println!("  screenshot: {}", path.display());
        Ok(())
    }
}

/// Creates an account on the practice site, and waits until its catalogue and its member are known.
async fn account(client: &Client) -> Result<Account> {
    let request = CreateAccountRequest {
        display_name: "Demo".to_owned(),
        market: "fr".to_owned(),
        language: "fr".to_owned(),
        mode: Some(account::Mode::Mock.into()),
        ..Default::default()
    };
    let account = client.accounts().create(request).await?;
    println!("account {} in mode {}", account.id, account.mode().as_str_name());
    let ready = async {
        loop {
            let account = client.accounts().get(&account.id).await?;
            if !account.member_id.is_empty() && has_catalog(client, &account).await? {
                return Ok(account);
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(CATALOG_TAKES_AT_MOST, ready)
        .await
        .context("the site's catalogue was not read in time")?
}

async fn has_catalog(client: &Client, account: &Account) -> Result<bool> {
    let request = ListConditionsRequest {
        account_id: account.id.clone(),
        ..Default::default()
    };
    match client.catalog().conditions(request).try_next().await {
        Ok(first) => Ok(first.is_some()),
        Err(error) if error.reason() == ErrorReason::CatalogNotReady => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Returns photos with orientation, place, time and camera in their metadata.
fn made(seeds: impl IntoIterator<Item = u64>) -> Result<Vec<Upload>> {
    let photo = |seed| Ok(Upload::bytes(photos::jpeg(seed, 900, 1_200)?).named(format!("IMG_{seed:04}.jpg")));
    seeds.into_iter().map(photo).collect()
}

/// Returns the photos in a folder, sorted by name.
fn found(folder: &Path) -> Result<Vec<Upload>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("PHOTOS={}", folder.display()))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths?;
    paths.retain(|path| {
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default()
            .to_lowercase();
        ENDINGS.contains(&ending.as_str())
    });
    ensure!(
        !paths.is_empty(),
        "PHOTOS={}: the folder contains no photos",
        folder.display()
    );
    paths.sort();
    Ok(paths.iter().map(Upload::path).collect())
}
