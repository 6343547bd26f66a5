//! Scheduled confirmations: stored across a restart and executed when due.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use tokio::time::timeout;
use vintedbot_domain::clock::{Clock as _, SystemClock};
use vintedbot_proofs::instance::{Browser, Instance, Setup};
use vintedbot_sdk::v1::EventKind;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::{Client, Code, ErrorReason};

use super::refusals::refused;
use super::world::World;

const PATIENCE: Duration = Duration::from_secs(120);

/// Two jobs are scheduled. One is cancelled. A process that started in between publishes the other on time.
///
/// # Errors
///
/// Fails if an expectation is not met.
pub async fn run_chapter(world: &mut World) -> Result<()> {
    let (title, other) = ("Sweat pour plus tard", "Sweat pour jamais");
    let (_, job, confirmation) = world.prepared(&world.account, title).await?;
    let (_, never, never_confirmation) = world.prepared(&world.account, other).await?;
    let publish = world.client.publish();
    for (date_time, zone) in [
        ("2026-03-29T02:30", "Europe/Paris"),
        ("tomorrow", "Europe/Paris"),
        ("2099-01-01T10:00", "Europe/Paris"),
        ("2026-06-01T10:00", "Europe/Atlantis"),
    ] {
        let wrong = publish
            .schedule_local(&job.id, &confirmation, date_time, zone)
            .await;
        refused(wrong, Code::InvalidArgument, ErrorReason::ValidationFailed)?;
    }
    let in_ms = |ms: i64| {
        let at = u64::try_from(SystemClock.now() + ms).unwrap_or_default();
        UNIX_EPOCH + Duration::from_millis(at)
    };
    let far = in_ms(3_600_000);
    let never = publish.schedule(&never.id, &never_confirmation, far).await?;
    ensure!(never.state() == State::Scheduled, "{never:?}");
    let scheduled = publish.schedule(&job.id, &confirmation, in_ms(2_500)).await?;
    ensure!(
        scheduled.state() == State::Scheduled && scheduled.schedule_time.is_some(),
        "{scheduled:?}"
    );
    world
        .watched
        .wait_for(EventKind::PublishJobScheduled, &job.id)
        .await?;
    let used = publish.confirm(&job.id, &confirmation).await;
    refused(used, Code::FailedPrecondition, ErrorReason::ConfirmationUsed)?;
    ensure!(world.published(title).await?.is_empty(), "before its time");

    world.instance.stop().await?;
    world.restart().await?;
    let publish = world.client.publish();
    let ended = timeout(PATIENCE, publish.ended(&job.id)).await;
    let job = ended.context("it never comes")??;
    ensure!(job.state() == State::Published, "{job:?}");
    let (asked, ended) = (
        job.schedule_time.context("a time")?,
        job.end_time.context("an end")?,
    );
    ensure!(ended.seconds >= asked.seconds, "before its time: {job:?}");
    let items = world.published(title).await?;
    ensure!(items.len() == 1, "{items:?}");
    ensure!(!job.step_timeline.is_empty(), "no step timeline");
    if world.is_browser {
        let picture = job
            .step_timeline
            .iter()
            .find(|step| !step.thumbnail_url.is_empty());
        let picture = picture.context("a step timeline without pictures")?;
        let jpeg = world.fetch(&picture.thumbnail_url).await?;
        ensure!(jpeg.starts_with(&[0xFF, 0xD8]), "no JPEG");
    }

    let never = publish.cancel(&never.id).await?;
    ensure!(never.state() == State::Cancelled, "{never:?}");
    ensure!(world.published(other).await?.is_empty());
    Ok(())
}

/// A job is scheduled, and the process that accepted the confirmation is killed. Another process on the same database,
/// which started before, publishes the job within the second.
///
/// # Errors
///
/// Fails if an expectation is not met.
pub async fn elsewhere(world: &mut World, database_url: &str) -> Result<()> {
    let (title, folder) = ("Sweat d'une autre machine", world.folder().join("other"));
    std::fs::create_dir_all(&folder)?;
    std::fs::copy(
        world.data_dir().join("encryption.key"),
        folder.join("encryption.key"),
    )?;
    std::os::unix::fs::symlink(world.data_dir().join("media"), folder.join("media"))?;
    let settings = [
        ("DATABASE_URL", database_url),
        ("BROWSER_PACING", "0ms"),
        ("JOBS_LEASE", "3000ms"),
        ("JOBS_HEARTBEAT", "800ms"),
        ("EFFECTS_CLICK_WINDOW", "1000ms"),
        ("EFFECTS_REQUEST_TIMEOUT", "2500ms"),
    ];
    let mut other = Instance::new(Setup {
        data_dir: folder,
        practice_url: world.site.url().to_owned(),
        browser: Browser::Off,
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    })?;
    other.start().await?;
    let client = Client::builder(other.url())
        .token_file(world.instance.token_file())
        .lazy()?;
    let (_, job, confirmation) = world.prepared(&world.account, title).await?;
    let at = u64::try_from(SystemClock.now() + 6_000)?;
    let publish = world.client.publish();
    publish
        .schedule(&job.id, &confirmation, UNIX_EPOCH + Duration::from_millis(at))
        .await?;
    world.instance.kill().await?;

    let publish = client.publish();
    let job = timeout(PATIENCE, publish.ended(&job.id))
        .await
        .context("it never comes")??;
    ensure!(job.state() == State::Published, "{job:?}");
    let steps: Vec<_> = publish.steps(&job.id).try_collect().await?;
    let times = steps
        .iter()
        .filter_map(|step| step.time)
        .map(|time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000);
    let begun = times
        .filter(|time| *time >= at.cast_signed())
        .min()
        .context("no step")?;
    let late = begun - at.cast_signed();
    ensure!(late < 1_000, "{late} ms late");
    eprintln!("begun {late} ms after its time");
    ensure!(world.published(title).await?.len() == 1);
    let schedules = other.run(&["schedules", "list"]).await?;
    ensure!(
        schedules.contains("publish_queue") && schedules.contains("daily at 02:00"),
        "{schedules}"
    );
    other.stop().await
}
