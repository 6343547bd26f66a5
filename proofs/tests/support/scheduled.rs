//! A yes for a later time: given once, kept over a restart, and redeemed when its time has come.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use tokio::time::timeout;
use vintedbot_domain::clock::{Clock as _, SystemClock};
use vintedbot_sdk::v1::EventKind;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::{Code, ErrorReason};

use super::refusals::refused;
use super::world::World;

const PATIENCE: Duration = Duration::from_secs(120);

/// Two are scheduled; one is taken back, and the other published at its time, by a process that was started meanwhile.
///
/// # Errors
///
/// It is not so.
pub async fn tell(world: &mut World) -> Result<()> {
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
    ensure!(!job.film_strip.is_empty(), "no film strip");
    if world.is_browser {
        let picture = job.film_strip.iter().find(|step| !step.thumbnail_url.is_empty());
        let picture = picture.context("a film strip without pictures")?;
        let jpeg = world.fetch(&picture.thumbnail_url).await?;
        ensure!(jpeg.starts_with(&[0xFF, 0xD8]), "no JPEG");
    }

    let never = publish.cancel(&never.id).await?;
    ensure!(never.state() == State::Cancelled, "{never:?}");
    ensure!(world.published(other).await?.is_empty());
    Ok(())
}
