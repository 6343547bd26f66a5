//! What happens in the demo.

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

/// A browser that is slow on a busy machine is still waited for.
const JOB_TAKES_AT_MOST: Duration = Duration::from_secs(240);
const CATALOG_TAKES_AT_MOST: Duration = Duration::from_secs(60);
const SECOND: &str = "Sweat à rayures, col rond";
const THIRD: &str = "Sweat à capuche, peu porté";
const ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "gif"];

/// What happened, as the instance tells it.
#[derive(Default)]
pub struct Told {
    /// Whose things on the practice site are the demo's.
    pub member_id: u64,
    /// Whether the first listing's photos were made here too: upright ones, once they are turned.
    pub are_photos_made: bool,
    /// As far as the story came: what was to be published, cancelled, and stopped at a challenge.
    pub acts: Vec<Act>,
}

/// One listing and what became of its job.
pub struct Act {
    pub listing: Listing,
    pub photos: Vec<Photo>,
    pub job: PublishJob,
}

/// Plays all of it, or breaks off where anything is not as it should be.
pub async fn tell(
    told: &mut Told,
    client: &Client,
    site: &Site,
    options: &Options,
    folder: &Path,
) -> Result<()> {
    let me = client.auth().who_am_i().await?;
    println!(
        "signed in as {} on vintedbot {}",
        me.owner_name, me.server_version
    );
    let _events = show::events(client).await?;
    let account = account(client).await?;
    told.member_id = account
        .member_id
        .parse()
        .context("the account's member id is no number")?;
    let script = Script {
        client,
        site,
        folder,
        account,
    };

    println!("\n1. Photos become a listing");
    let given = options
        .photos
        .as_deref()
        .filter(|folder| !folder.as_os_str().is_empty());
    told.are_photos_made = given.is_none();
    let uploads = match given {
        Some(folder) => found(folder)?,
        None => made(1..=3)?,
    };
    let listing = ("Porté deux fois, comme neuf.", 2_900);
    script
        .publish(script.begin(told, uploads, &options.title, listing).await?)
        .await?;

    println!("\n2. Another is prepared and cancelled");
    let act = script
        .begin(told, made(4..=5)?, SECOND, ("Taille bien, sans défaut.", 1_800))
        .await?;
    script.prepare(act).await?;
    act.job = client.publish().cancel(&act.job.id).await?;
    script.settle(act, State::Cancelled).await?;

    println!("\n3. A third meets a captcha");
    let act = script
        .begin(told, made(6..=7)?, THIRD, ("Coton épais, coupe ample.", 2_200))
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

/// What every step needs.
struct Script<'a> {
    client: &'a Client,
    site: &'a Site,
    /// Where screenshots go.
    folder: &'a Path,
    account: Account,
}

impl Script<'_> {
    /// Stores photos and makes a listing with them.
    async fn begin<'t>(
        &self,
        told: &'t mut Told,
        uploads: Vec<Upload>,
        title: &str,
        (description, price): (&str, i64),
    ) -> Result<&'t mut Act> {
        let answers = self.client.media().upload_all(uploads).await?;
        let photos: Option<Vec<_>> = answers.into_iter().map(|answer| answer.photo).collect();
        let photos = photos.context("an upload was answered without its photo")?;
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
        told.acts.push(Act {
            listing,
            photos,
            job: PublishJob::default(),
        });
        told.acts.last_mut().context("it was pushed")
    }

    /// Prepares a listing as far as a person's look at it.
    async fn prepare(&self, act: &mut Act) -> Result<()> {
        act.job = self.client.publish().prepare(&act.listing.id).await?;
        println!("  preparing as job {}", act.job.id);
        self.settle(act, State::AwaitingConfirmation).await
    }

    /// Waits until the job goes no further by itself, and takes note of it as it is then.
    async fn settle(&self, act: &mut Act, wanted: State) -> Result<()> {
        let settled = timeout(JOB_TAKES_AT_MOST, self.client.publish().settled(&act.job.id)).await;
        act.job = settled.with_context(|| format!("job {} goes on and on", act.job.id))??;
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

    /// The whole way: prepared, looked at, confirmed dry, confirmed for real.
    async fn publish(&self, act: &mut Act) -> Result<()> {
        self.prepare(act).await?;
        show::read_back(&act.job);
        self.screenshot(&act.job, "prepared.png").await?;
        println!("  preview: {}", act.job.preview_url);
        let confirmation = act
            .job
            .confirmation
            .clone()
            .context("the job shows no confirmation")?;
        self.check(&act.job, &confirmation).await?;
        println!("  confirming for real");
        act.job = self.client.publish().confirm(&act.job.id, &confirmation).await?;
        self.settle(act, State::Published).await?;
        println!("  published: {}", act.job.remote_url);
        Ok(())
    }

    /// Confirms dry, and sees to it that nothing came of it.
    async fn check(&self, job: &PublishJob, confirmation: &Confirmation) -> Result<()> {
        let before = self.site.last_seq().await?;
        let answer = self.client.publish().check(&job.id, confirmation).await?;
        println!("  confirming dry:");
        for check in &answer.checks {
            let name = check
                .kind()
                .as_str_name()
                .trim_start_matches("KIND_")
                .to_lowercase();
            let passed = if check.passed {
                "passes".to_owned()
            } else {
                format!("does not pass: {}", check.message)
            };
            println!("    {name:<15} {passed}");
        }
        let after = self.client.publish().get(&job.id).await?;
        ensure!(
            after.state() == State::AwaitingConfirmation,
            "a dry run moved the job"
        );
        ensure!(
            self.site.last_seq().await? == before,
            "a dry run reached the site"
        );
        Ok(())
    }

    /// Keeps the job's last screenshot as a file.
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

/// An account that only ever reaches the practice site, once the site's catalogue and its member there are known.
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
        .context("the site's catalogue was not read")?
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

/// Photos with orientation, place, time and camera inside.
fn made(seeds: impl IntoIterator<Item = u64>) -> Result<Vec<Upload>> {
    let photo = |seed| Ok(Upload::bytes(photos::jpeg(seed, 900, 1_200)?).named(format!("IMG_{seed:04}.jpg")));
    seeds.into_iter().map(photo).collect()
}

/// The photos in a folder, by name.
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
        "PHOTOS={}: there are no photos in it",
        folder.display()
    );
    paths.sort();
    Ok(paths.iter().map(Upload::path).collect())
}
