//! Manual takeovers: the actions of a person in the window, and failures of the process in that time. The site's
//! records decide the outcome of each.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep, timeout};
use vintedbot_proofs::records::What;
use vintedbot_sdk::v1::listing;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{EventKind, PublishJob};
use vintedbot_sdk::{Code, ErrorReason};

use super::person::{Person, Screen, browser_with_port};
use super::refusals::refused;
use super::world::World;

const PATIENCE: Duration = Duration::from_secs(120);
const PUBLISH: &str = "upload-form-save-button";
const SAVE_DRAFT: &str = "upload-form-save-draft-button";

/// Runs all cases on a virtual screen.
///
/// # Errors
///
/// Fails if an expectation is not met.
pub async fn run_chapter(world: &mut World) -> Result<()> {
    let screen = Screen::start().await?;
    refused_without(world).await.context("without a window")?;
    world.instance.stop().await?;
    world.instance.set("DISPLAY", &screen.display);
    world.instance.set("BROWSER_HEADLESS", "false");
    let browser = browser_with_port(&world.data_dir())?;
    world
        .instance
        .set("BROWSER_BINARY", &browser.display().to_string());
    world.restart().await?;
    published(world).await.context("published")?;
    drafted(world).await.context("a draft saved, and closed")?;
    drafted_then_published(world)
        .await
        .context("a draft saved, then published")?;
    closed(world).await.context("closed")?;
    left(world).await.context("left")?;
    changed(world).await.context("changed")?;
    cancelled(world).await.context("cancelled")?;
    drained(world).await.context("drained")?;
    killed(world).await.context("killed")?;
    expired(world).await.context("expired")?;
    Ok(())
}

/// Counts the drafts and the published items of a title on the site.
async fn on_site(world: &World, title: &str) -> Result<(usize, usize)> {
    let records = world.site.records(0).await?;
    let saved = records
        .iter()
        .filter(|record| matches!(&record.what, What::DraftSaved(item) if item.title == title));
    Ok((saved.count(), world.published(title).await?.len()))
}

/// Returns a job whose filled window is open.
async fn manual_takeover(world: &World, title: &str) -> Result<PublishJob> {
    let listing = world.listing(&world.account, title).await?;
    let publish = world.client.publish();
    let job = publish.manual_takeover(&listing.id).await?;
    let job = world.settled(&job.id, State::ManualTakeover).await?;
    ensure!(
        job.manual_takeover && !job.read_back.is_empty() && job.confirmation.is_none(),
        "{job:?}"
    );
    let waits = job.waiting.as_ref().and_then(|waiting| waiting.until);
    ensure!(waits.is_some(), "the end of the takeover is not shown: {job:?}");
    Ok(job)
}

async fn attach(world: &World) -> Result<Person> {
    Person::attach(&world.data_dir().join("attempts")).await
}

/// Waits until a job has ended, even if its window stays open for long.
async fn ended(world: &World, job: &PublishJob, wanted: State, reason: ErrorReason) -> Result<PublishJob> {
    let ended = timeout(PATIENCE, world.client.publish().ended(&job.id)).await;
    let job = ended.with_context(|| format!("job {} does not end", job.id))??;
    ensure!(
        job.state() == wanted && job.reason() == reason,
        "not {wanted:?} ({reason:?}): {job:?}"
    );
    no_browser(world).await?;
    Ok(job)
}

/// Asserts that no browser of a window is left.
async fn no_browser(world: &World) -> Result<()> {
    let attempts = world.data_dir().join("attempts");
    let attempts = attempts.to_str().context("a path")?;
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let processes = std::fs::read_dir("/proc")?.flatten();
        let left = processes
            .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
            .filter(|line| String::from_utf8_lossy(line).contains(attempts))
            .count();
        if left == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < until, "{left} processes of a window are left");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn refused_without(world: &World) -> Result<()> {
    let listing = world.listing(&world.account, "Sweat sans fenêtre").await?;
    let refusal = world.client.publish().manual_takeover(&listing.id).await;
    refused(refusal, Code::FailedPrecondition, ErrorReason::ModeNotAllowed).map(drop)
}

async fn published(world: &World) -> Result<()> {
    let title = "Sweat publié à la main";
    let job = manual_takeover(world, title).await?;
    world
        .watched
        .wait_for(EventKind::PublishJobManualTakeover, &job.id)
        .await?;
    let confirmation = Default::default();
    let refusal = world.client.publish().confirm(&job.id, &confirmation).await;
    refused(refusal, Code::FailedPrecondition, ErrorReason::ManualTakeover)?;
    attach(world).await?.click(PUBLISH).await?;
    let job = ended(world, &job, State::Published, ErrorReason::Unspecified).await?;
    ensure!(
        !job.remote_item_id.is_empty() && !job.remote_url.is_empty(),
        "{job:?}"
    );
    ensure!(on_site(world, title).await? == (0, 1));
    let listing = world.client.listings().get(&job.listing_id).await?;
    ensure!(listing.state() == listing::State::Published, "{listing:?}");
    Ok(())
}

async fn drafted(world: &World) -> Result<()> {
    let title = "Sweat gardé en brouillon";
    let job = manual_takeover(world, title).await?;
    let person = attach(world).await?;
    person.click(SAVE_DRAFT).await?;
    person.arrives("/member/").await?;
    person.close().await?;
    let job = ended(world, &job, State::Cancelled, ErrorReason::WindowClosed).await?;
    ensure!(!job.draft_remote_id.is_empty(), "{job:?}");
    ensure!(on_site(world, title).await? == (1, 0));
    Ok(())
}

async fn drafted_then_published(world: &World) -> Result<()> {
    let title = "Sweat brouillon puis publié";
    let job = manual_takeover(world, title).await?;
    let person = attach(world).await?;
    person.click(SAVE_DRAFT).await?;
    person.arrives("/member/").await?;
    let until = Instant::now() + PATIENCE;
    let draft_id = loop {
        let now = world.client.publish().get(&job.id).await?;
        ensure!(
            now.state() == State::ManualTakeover,
            "a saved draft does not end the takeover: {now:?}"
        );
        if !now.draft_remote_id.is_empty() {
            break now.draft_remote_id;
        }
        ensure!(Instant::now() < until, "the draft is not seen");
        sleep(Duration::from_millis(50)).await;
    };
    person
        .go(&format!("{}/items/{draft_id}/edit", world.site.url()))
        .await?;
    person.click(PUBLISH).await?;
    ended(world, &job, State::Published, ErrorReason::Unspecified).await?;
    ensure!(on_site(world, title).await? == (1, 1));
    Ok(())
}

async fn closed(world: &World) -> Result<()> {
    let title = "Sweat fenêtre fermée";
    let job = manual_takeover(world, title).await?;
    attach(world).await?.close().await?;
    let job = ended(world, &job, State::Cancelled, ErrorReason::WindowClosed).await?;
    ensure!(on_site(world, title).await? == (0, 0));
    let listing = world.client.listings().get(&job.listing_id).await?;
    ensure!(
        listing.state() == listing::State::Draft && listing.active_publish_job_id.is_empty(),
        "{listing:?}"
    );
    Ok(())
}

async fn left(world: &World) -> Result<()> {
    let title = "Sweat fenêtre quittée";
    let job = manual_takeover(world, title).await?;
    attach(world).await?.go("about:blank").await?;
    ended(world, &job, State::Cancelled, ErrorReason::WindowClosed).await?;
    ensure!(on_site(world, title).await? == (0, 0));
    Ok(())
}

/// The person published other content than the form had. Only the person can settle that.
async fn changed(world: &World) -> Result<()> {
    let title = "Sweat changé à la main";
    let changed = "Sweat changé, en mieux";
    let job = manual_takeover(world, title).await?;
    let person = attach(world).await?;
    person.write("#title", changed).await?;
    person.click(PUBLISH).await?;
    let job = ended(world, &job, State::Unconfirmed, ErrorReason::OutcomeUnknown).await?;
    ensure!(job.requires_action, "{job:?}");
    let items = world.published(changed).await?;
    ensure!(items.len() == 1, "{items:?}");
    let id = items[0].item_id.to_string();
    let job = world.client.publish().resolve_published(&job.id, &id).await?;
    ensure!(
        job.state() == State::Published && job.remote_item_id == id,
        "{job:?}"
    );
    Ok(())
}

/// The job is cancelled while its window is open. The window is closed, and the earlier of publish and cancel counts.
async fn cancelled(world: &World) -> Result<()> {
    let title = "Sweat annulé à la fenêtre";
    let job = manual_takeover(world, title).await?;
    world.client.publish().cancel(&job.id).await?;
    ended(world, &job, State::Cancelled, ErrorReason::CancelledByPerson).await?;
    ensure!(on_site(world, title).await? == (0, 0));

    let title = "Sweat annulé trop tard";
    let job = manual_takeover(world, title).await?;
    let person = attach(world).await?;
    person.click(PUBLISH).await?;
    person.arrives("/member/").await?;
    // NOT_CANCELLABLE is valid too, if the outcome was already read.
    drop(world.client.publish().cancel(&job.id).await);
    ended(world, &job, State::Published, ErrorReason::Unspecified).await?;
    ensure!(on_site(world, title).await? == (0, 1));
    Ok(())
}

/// The process is drained while the window is open. It ends in time and opens no second window.
async fn drained(world: &mut World) -> Result<()> {
    let title = "Sweat à l'arrêt";
    let job = manual_takeover(world, title).await?;
    timeout(Duration::from_secs(10), world.instance.stop())
        .await
        .context("the drain takes too long")??;
    no_browser(world).await?;
    world.restart().await?;
    let job = ended(world, &job, State::Cancelled, ErrorReason::WindowClosed).await?;
    ensure!(job.prepare_attempts == 1, "a second window was opened: {job:?}");
    ensure!(on_site(world, title).await? == (0, 0));
    Ok(())
}

/// The process is killed while the window is open, which ends the window. What the person did before counts.
async fn killed(world: &mut World) -> Result<()> {
    for (title, publishes, wanted, reason) in [
        ("Sweat tué", false, State::Cancelled, ErrorReason::WindowClosed),
        (
            "Sweat tué et publié",
            true,
            State::Published,
            ErrorReason::Unspecified,
        ),
    ] {
        let job = manual_takeover(world, title).await?;
        if publishes {
            let person = attach(world).await?;
            // The process sees no further action in the window.
            let pid = world.instance.pid().context("it runs")?.cast_signed();
            kill_process(Pid::from_raw(pid).context("a process")?, Signal::STOP)?;
            person.click(PUBLISH).await?;
            person.arrives("/member/").await?;
        }
        world.instance.kill().await?;
        no_browser(world).await?;
        world.restart().await?;
        let job = ended(world, &job, wanted, reason).await?;
        ensure!(job.prepare_attempts == 1, "a second window was opened: {job:?}");
        ensure!(on_site(world, title).await? == (0, usize::from(publishes)));
    }
    Ok(())
}

/// No person comes to the window in time.
async fn expired(world: &mut World) -> Result<()> {
    world.instance.stop().await?;
    world.instance.set("CONFIRM_TOKEN_TTL", "3000ms");
    world.restart().await?;
    let title = "Sweat oublié";
    let job = manual_takeover(world, title).await?;
    ended(world, &job, State::Expired, ErrorReason::ConfirmationExpired).await?;
    ensure!(on_site(world, title).await? == (0, 0));
    Ok(())
}
