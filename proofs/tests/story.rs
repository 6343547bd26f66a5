//! The story: photos on disk become one listing that is published exactly once. It runs the whole product from its
//! users' side on every database engine, and once with a real browser. The practice site's records give the counts.
//!
//! A new chapter is a function that [`chapters`] calls. Helpers are in `support`.

mod support;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use support::bucket::Bucket;
use support::postgres::Postgres;
use support::published::evidence;
use support::refusals::refused;
use support::world::World;
use support::{
    canary, changes, inbox, inbox_killed, kinds, published, refusals, removal, scheduled, sessions, wardrobe,
    windows,
};
use tokio::time::{Instant, sleep, timeout};
use vintedbot_proofs::instance::Browser;
use vintedbot_sdk::v1::publish_job::State;
use vintedbot_sdk::v1::{EventKind, Listing, account, listing};
use vintedbot_sdk::{Code, ErrorReason, Upload};

/// The longest that a drain may take.
const DRAIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn story_on_sqlite() -> Result<()> {
    run_chapter(World::open(None, Browser::Off).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn story_on_postgresql() -> Result<()> {
    let server = Postgres::start().await?;
    run_chapter(World::open(Some(server.url()), Browser::Off).await?).await?;
    server.stop().await
}

/// Combines the second engine for files with the second engine for rows.
#[tokio::test(flavor = "multi_thread")]
async fn story_with_photos_in_a_bucket() -> Result<()> {
    let server = Postgres::start().await?;
    let mut bucket = Bucket::start().await?;
    let world = World::open_with(Some(server.url()), Browser::Off, Some(&bucket)).await?;
    world.secret("the key to the bucket", support::bucket::SECRET);
    let own_folder = world.data_dir().join("media");
    run_chapter(world).await?;
    ensure!(!own_folder.exists(), "files are also stored in the data folder");
    ensure!(
        !bucket.keys("photos").is_empty() && !bucket.keys("screenshots").is_empty(),
        "the bucket is empty"
    );
    bucket.kill_server().await;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn story_with_a_real_browser() -> Result<()> {
    run_chapter(World::open(None, Browser::Required).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn story_of_manual_takeover_windows() -> Result<()> {
    let mut world = World::open(None, Browser::Required).await?;
    let result = windows::run_chapter(&mut world).await;
    world.close(result).await
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_job_is_published_on_time_by_another_process() -> Result<()> {
    let server = Postgres::start().await?;
    let mut world = World::open(Some(server.url()), Browser::Off).await?;
    let result = scheduled::elsewhere(&mut world, &server.url()).await;
    world.close(result).await?;
    server.stop().await
}

async fn run_chapter(mut world: World) -> Result<()> {
    let result = chapters(&mut world).await;
    world.close(result).await
}

async fn chapters(world: &mut World) -> Result<()> {
    let began = Instant::now();
    let done = |chapter: &str| eprintln!("{:>5.1} s  {chapter}", began.elapsed().as_secs_f64());
    published::run_chapter(world).await.context("published")?;
    done("published");
    if !world.is_browser {
        // Invalid input is refused before the form, so a browser adds nothing.
        refusals::run_chapter(world).await.context("refused")?;
        done("refused");
    }
    if !world.is_browser {
        changes::run_chapter(world).await.context("changes")?;
        done("changed");
        wardrobe::run_chapter(world).await.context("wardrobe")?;
        done("wardrobe");
        inbox::run_chapter(world).await.context("inbox")?;
        inbox_killed::run_chapter(world).await.context("inbox, killed")?;
        removal::run_chapter(world).await.context("removal")?;
        done("inbox");
    }
    cancelled(world).await.context("cancelled")?;
    challenged(world).await.context("challenged")?;
    if !world.is_browser {
        kinds::run_chapter(world).await.context("kinds of challenges")?;
    }
    done("challenged");
    reconciled(world).await.context("reconciled")?;
    done("reconciled");
    sessions::run_chapter(world).await.context("sessions")?;
    done("sessions");
    asked(world).await.context("asked")?;
    done("asked");
    restarted(world).await.context("restarted")?;
    done("restarted");
    scheduled::run_chapter(world).await.context("scheduled")?;
    done("scheduled");
    if !world.is_browser {
        expired(world).await.context("expired")?;
    }
    watched(world).await.context("watched")?;
    canary::search(world).await.context("canaries")?;
    done("searched");
    Ok(())
}

/// A cancelled job is not published, even if it is confirmed afterwards.
async fn cancelled(world: &World) -> Result<()> {
    let title = "Sweat à rayures, col rond";
    let (listing, job, confirmation) = world.prepared(&world.account, title).await?;
    let publish = world.client.publish();
    let job = publish.cancel(&job.id).await?;
    ensure!(
        job.state() == State::Cancelled && job.reason() == ErrorReason::CancelledByPerson,
        "{job:?}"
    );
    publish.cancel(&job.id).await.context("cancelling twice")?;
    ensure!(
        publish.confirm(&job.id, &confirmation).await.is_err(),
        "a cancelled job was confirmed"
    );
    let after = world.client.listings().get(&listing.id).await?;
    ensure!(
        after.state() == listing::State::Draft && after.active_publish_job_id.is_empty(),
        "{after:?}"
    );
    ensure!(world.published(title).await?.is_empty());
    Ok(())
}

/// A captcha blocks the job, pauses the account and is visible. The job continues when a person has resumed the account
/// and retried it.
async fn challenged(world: &World) -> Result<()> {
    let (title, waiting) = ("Sweat à capuche, peu porté", "Sweat zippé");
    let other: Listing = world.listing(&world.account, waiting).await?;
    let listing = world.listing(&world.account, title).await?;
    // Without a browser the form consists of calls, the first of which is about a photo.
    let (on, expected) = if world.is_browser {
        ("form", ErrorReason::ChallengeCaptcha)
    } else {
        ("photo", ErrorReason::ChallengeBotCheck)
    };
    world.script(on, None, json!({"captcha_page": true})).await?;
    let publish = world.client.publish();
    let job = publish.prepare(&listing.id).await?;
    let job = world.settled(&job.id, State::Blocked).await?;
    ensure!(job.requires_action && job.reason() == expected, "{job:?}");
    let account = world.client.accounts().get(&world.account.id).await?;
    ensure!(account.state() == account::State::Paused, "{account:?}");
    ensure!(account.pause.is_some_and(|pause| pause.publish_job_id == job.id));
    evidence(world, &job).await?;
    let steps: Vec<_> = publish.steps(&job.id).try_collect().await?;
    let stopped = steps
        .iter()
        .any(|step| step.outcome().as_str_name() == "OUTCOME_CHALLENGED");
    ensure!(stopped, "{steps:?}");

    refused(
        publish.retry(&job.id).await,
        Code::FailedPrecondition,
        ErrorReason::AccountPaused,
    )?;
    refused(
        publish.prepare(&other.id).await,
        Code::FailedPrecondition,
        ErrorReason::AccountPaused,
    )?;
    ensure!(world.published(title).await?.is_empty());

    let account = world.client.accounts().resume(&world.account.id).await?;
    ensure!(
        account.state() == account::State::Active && account.pause.is_none(),
        "{account:?}"
    );
    publish.retry(&job.id).await?;
    let (job, confirmation) = world.ready(&job.id).await?;
    publish.confirm(&job.id, &confirmation).await?;
    world.settled(&job.id, State::Published).await?;
    ensure!(world.published(title).await?.len() == 1);
    Ok(())
}

/// The site publishes and answers with an error. Reconciliation finds the item, and nothing is clicked again.
async fn reconciled(world: &World) -> Result<()> {
    let title = "Sweat noir, logo brodé";
    world
        .script("publish", Some(title), json!({"accept_then_500": true}))
        .await?;
    let (_, job, confirmation) = world.prepared(&world.account, title).await?;
    let publish = world.client.publish();
    publish.confirm(&job.id, &confirmation).await?;
    let job = world.settled(&job.id, State::Published).await?;
    let items = world.published(title).await?;
    ensure!(
        items.len() == 1 && items[0].item_id.to_string() == job.remote_item_id,
        "{items:?} {job:?}"
    );
    Ok(())
}

/// The site publishes under an id that it never shows. A person is asked, nothing is retried, and the person's answer
/// counts.
async fn asked(world: &World) -> Result<()> {
    let title = "Sweat blanc, jamais porté";
    let withheld = json!({"new_id_on_publish": true, "never_list": true, "accept_then_500": true});
    world.script("publish", Some(title), withheld).await?;
    let (listing, job, confirmation) = world.prepared(&world.account, title).await?;
    let publish = world.client.publish();
    publish.confirm(&job.id, &confirmation).await?;
    let job = world.settled(&job.id, State::Unconfirmed).await?;
    ensure!(
        job.requires_action && job.reason() == ErrorReason::OutcomeUnknown,
        "{job:?}"
    );
    refused(
        publish.retry(&job.id).await,
        Code::FailedPrecondition,
        ErrorReason::JobStateInvalid,
    )?;
    refused(
        publish.cancel(&job.id).await,
        Code::FailedPrecondition,
        ErrorReason::NotCancellable,
    )?;

    let first = world.published(&world.published_title).await?[0]
        .item_id
        .to_string();
    let taken = publish.resolve_published(&job.id, first).await;
    refused(
        taken,
        Code::FailedPrecondition,
        ErrorReason::RemoteItemAlreadyLinked,
    )?;
    let items = world.published(title).await?;
    ensure!(items.len() == 1, "{items:?}");
    let id = items[0].item_id.to_string();
    let job = publish.resolve_published(&job.id, &id).await?;
    ensure!(
        job.state() == State::Published && job.remote_item_id == id && !job.requires_action,
        "{job:?}"
    );
    ensure!(world.client.listings().get(&listing.id).await?.state() == listing::State::Published);
    ensure!(world.published(title).await?.len() == 1);
    Ok(())
}

/// The process is drained during a preparation and killed during a publish. Both jobs continue and take effect once.
async fn restarted(world: &mut World) -> Result<()> {
    let title = "Sweat bordeaux, taille ample";
    let listing = world.listing(&world.account, title).await?;
    let on = if world.is_browser { "form" } else { "photo" };
    world.script(on, None, json!({"latency_ms": 1_500})).await?;
    let job = world.client.publish().prepare(&listing.id).await?;
    world.passes_through(&job.id, State::Preparing).await?;
    timeout(DRAIN, world.instance.stop())
        .await
        .context("the drain takes too long")??;
    world.restart().await?;
    let (job, confirmation) = world.ready(&job.id).await?;
    ensure!(world.published(title).await?.is_empty());

    world
        .script("publish", Some(title), json!({"latency_ms": 1_500}))
        .await?;
    world.client.publish().confirm(&job.id, &confirmation).await?;
    world.passes_through(&job.id, State::Publishing).await?;
    world.instance.kill().await?;
    world.restart().await?;
    let job = world.settled(&job.id, State::Published).await?;
    let items = world.published(title).await?;
    ensure!(
        items.len() == 1 && items[0].item_id.to_string() == job.remote_item_id,
        "{items:?} {job:?}"
    );
    Ok(())
}

/// A job that is not confirmed in time expires, and its token is void.
async fn expired(world: &mut World) -> Result<()> {
    timeout(DRAIN, world.instance.stop())
        .await
        .context("the drain takes too long")??;
    world.instance.set("CONFIRM_TOKEN_TTL", "2500ms");
    world.restart().await?;
    let title = "Sweat turquoise";
    let (_, job, confirmation) = world.prepared(&world.account, title).await?;
    world
        .watched
        .wait_for(EventKind::PublishJobExpired, &job.id)
        .await?;
    let publish = world.client.publish();
    let late = publish.confirm(&job.id, &confirmation).await;
    refused(late, Code::FailedPrecondition, ErrorReason::ConfirmationExpired)?;
    let late = publish.check(&job.id, &confirmation).await;
    refused(late, Code::FailedPrecondition, ErrorReason::ConfirmationExpired)?;
    ensure!(world.published(title).await?.is_empty());
    Ok(())
}

/// A single watch received every event.
async fn watched(world: &World) -> Result<()> {
    let last = world
        .client
        .media()
        .upload(Upload::bytes(world.photo()?))
        .await?
        .photo
        .context("the photo")?;
    world.watched.wait_for(EventKind::PhotoCreated, &last.id).await?;
    // Jobs that ended a moment ago may still write events.
    sleep(Duration::from_millis(300)).await;
    let events = world.watched.check(&world.client).await?;
    ensure!(events > 40, "only {events} events");
    Ok(())
}
